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

given as materialized (
    select o.*, coalesce($7::text, o.on_busy) as policy,
           o.turn_id is not null and (o.status <> 'idle' or chat_work(o.id) = 'left') as at_work
    from old o),
accepted as materialized (
    select g.*, g.policy = 'interrupt' and g.at_work as interrupts
    from given g
    where not ((g.mail > 0 or g.at_work) and g.policy = 'reject') and g.mail < $9),
stopping as (
    select a.* from accepted a where a.interrupts and a.server_id is not null),
asked_to_stop as (
    update turns t set stop_requested = true from accepted a
    where a.interrupts and a.server_id is null and t.id = a.turn_id),
-- nobody beats for it until a host takes the message, and it waits for that as long as it must
rested as (
    delete from session_heartbeats h using accepted a
    where a.hosting = 'external' and a.status = 'idle' and h.session_id = a.id),
commanded as (
    insert into session_commands (id, session_id, command, server_id, epoch, turn_id, traceparent)
    select next_id(), o.id, 'stop', o.server_id, o.epoch, o.turn_id, $8::text from stopping o
    returning *),

s as (
    update agent_sessions s
    set mail = a.mail + 1, last_position = next_position(a.last_position, 0) + 1,
        open_commands = a.open_commands + (select count(*) from commanded)::integer
    from accepted a
    where s.id = a.id
    returning s.*),
written as (
    insert into messages (id, workspace_id, chat_id, session_id, kind, content, user_id, state, urgent, position,
        traceparent)
    select $5::uuid, s.workspace_id, s.chat_id, s.id, 'user', $6::text, $3::uuid, 'new', a.interrupts,
           s.last_position - 1, $8::text
    from accepted a
    join s on s.id = a.id),
recent as (
    update chats c set last_message_id = greatest(c.last_message_id, $5::uuid), updated_at = now()
    from s
    where c.id = s.chat_id),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'message',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $5::uuid,
               'user_id', $3::uuid, 'content', $6::text, 'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from s
    union all
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'command_id', c.id, 'command', c.command,
    'state', 'accepted', 'accepted_at', utc(c.accepted_at), 'delivered_at', null, 'applied_at', null,
    'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id, 'target_server_id', null,
    'fenced', false, 'detail', null), c.accepted_at, false
    from s
    cross join commanded c)
select p.role, p.chat_id is not null as found, g.id is not null as live, g.status,
       exists (select from s) as accepted, g.mail >= $9 as full, g.server_id
from place p
left join given g on true
