with held as materialized (
    select s.* from agent_sessions s
    join chats c on c.id = s.chat_id and c.workspace_id = s.workspace_id
    where s.id = $1 and s.status = any ($6::text[])
        and ($7::bigint[] is null or s.version = any ($7)) and ($8::uuid is null or s.pause_id = $8)
    for no key update of s),
old as materialized (
    select o.* from held o where ($2::uuid is null or o.user_id = $2
    and case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = o.workspace_id and m.user_id = $2)
    else role_now(o.workspace_id, $2) end in ('owner', 'admin', 'member'))),
s as (
    update agent_sessions s set mail = o.mail + 1, last_position = next_position(o.last_position, 0)
    from old o
    where s.id = o.id and o.mail < $9
    returning s.*),
written as (
    insert into messages (id, workspace_id, chat_id, session_id, kind, content, user_id, state, position, traceparent)
    select $3::uuid, s.workspace_id, s.chat_id, s.id, 'user', $4::text, $5::uuid, 'new', s.last_position, $10::text
    from s),
recent as (
    update chats c set last_message_id = greatest(c.last_message_id, $3::uuid), updated_at = now()
    from s
    where c.id = s.chat_id),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'message',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $3::uuid,
               'user_id', $5::uuid, 'content', $4::text, 'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from s)
select exists (select from old) and not exists (select from s) as full
