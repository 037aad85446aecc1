with entered as materialized (
    select w.id as workspace_id, r.role, c.id as chat_id, c.on_busy
    from workspaces w
    left join workspace_members r on r.workspace_id = w.id and r.user_id = $3
    left join chats c on c.workspace_id = w.id and c.id = $2
    where w.id = $1),
held as materialized (
    select s.*, e.on_busy from entered e
    join agent_sessions s on s.workspace_id = e.workspace_id and s.chat_id = e.chat_id and s.ended_at is null
    where $4::text[] is null or e.role = any ($4)
    for no key update of s),
place as materialized (
    select e.workspace_id, e.chat_id, e.on_busy,
           case when h.id is null then e.role else case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then e.role
    else role_now(e.workspace_id, $3) end end as role
    from entered e
    left join held h on true),
old as materialized (
    select h.* from held h
    cross join place p
    where $4::text[] is null or p.role = any ($4)),

c as (
    update chats c
    set name = case when $5::boolean then $6::text else c.name end, model = coalesce($7::text, c.model),
        mode = coalesce($8::text, c.mode), on_busy = coalesce($9::text, c.on_busy), updated_at = now()
    -- the session is locked before its chat, as all do
    from place p
    left join (select count(*) as n from old) o on true
    where o.n >= 0 and c.id = p.chat_id and ($4::text[] is null or p.role = any ($4))
    returning c.*),
s as (
    update agent_sessions s
    set chat_name = c.name, model = coalesce($7::text, o.model), mode = coalesce($8::text, o.mode), version = s.version + 1,
        updated_at = clock_timestamp(), last_position = next_position(o.last_position, 0) + 1
    from c, old o
    where s.id = o.id
        and (c.name, coalesce($7::text, o.model), coalesce($8::text, o.mode))
            is distinct from (o.chat_name, o.model, o.mode)
    returning s.*, o.mode as old_mode),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'agent_updated',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'agent_type', s.agent_type,
               'model', s.model, 'mode', s.mode, 'labels', s.labels, 'blocked_on', s.blocked_on,
               'chat_name', s.chat_name, 'at', utc(s.updated_at), 'version', s.version),
           s.updated_at, false
    from s
    union all
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'mode_changed',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'agent_type', s.agent_type,
               'mode', s.mode, 'previous_mode', s.old_mode, 'at', utc(s.updated_at), 'version', s.version),
           s.updated_at, false
    from s
    where s.mode <> s.old_mode)
select c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
c.created_at, c.updated_at, p.role, p.chat_id is not null as found
from place p
left join c on true
