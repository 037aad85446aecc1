with given as materialized (
    select * from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::text[])
        with ordinality as g (turn_id, session_id, epoch, from_char, text, n)),
mine as materialized (
    select g.*, s.workspace_id, s.chat_id, s.last_progress_at
    from given g
    join agent_sessions s on s.id = g.session_id
    where s.server_id is not distinct from $1 and s.epoch = g.epoch and s.turn_id = g.turn_id
        and s.status = 'running'),
shown as (
    insert into chunks (position, workspace_id, chat_id, session_id, turn_id, from_char, text)
    select (pg_current_xact_id()::text::bigint << 16) + m.n, m.workspace_id, m.chat_id, m.session_id, m.turn_id,
           m.from_char, m.text
    from mine m),
silent as (
    select s.id from agent_sessions s
    where s.id in (select m.session_id from mine m
                   where m.last_progress_at is null or m.last_progress_at < now() - interval '5 seconds')
    order by s.id
    for no key update of s skip locked),
heard as (
    update agent_sessions s set last_progress_at = clock_timestamp(), stalled_at = null
    from silent
    where s.id = silent.id)
select turn_id from mine
