with s as (
    update agent_sessions s
    set last_position = next_position(s.last_position, 0), last_progress_at = clock_timestamp(), stalled_at = null
    where s.id = $1
    returning s.*),
said as (
    update turns t set said = t.said || $3::text, said_length = $5 where t.id = $2)
insert into chunks (position, workspace_id, chat_id, session_id, turn_id, from_char, text)
select s.last_position, s.workspace_id, s.chat_id, s.id, $2::uuid, $4::integer, $3::text from s
