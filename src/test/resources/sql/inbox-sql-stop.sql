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

stopping as (
    select o.* from old o where o.turn_id is not null and o.server_id is not null),
asked_to_stop as (
    update turns t set stop_requested = true from old o where o.server_id is null and t.id = o.turn_id),
commanded as (
    insert into session_commands (id, session_id, command, server_id, epoch, turn_id, traceparent)
    select next_id(), o.id, 'stop', o.server_id, o.epoch, o.turn_id, $5::text from stopping o
    returning *),

dropped as (
    update messages m set state = 'dropped'
    where m.id = (
        select m.id from messages m
        join old o on m.session_id = o.id
        where m.state in ('new', 'waiting') and m.kind = 'user' and o.turn_id is null
        order by m.urgent desc, m.position
        limit 1
        for no key update of m)
    returning m.*),
s as (
    update agent_sessions s
    set last_position = next_position(o.last_position, 0) + 1,
        mail = o.mail - (select count(*) from dropped)::integer,
        open_commands = o.open_commands + (select count(*) from commanded)::integer
    from old o
    where s.id = o.id
    returning s.*),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'stopped',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', null, 'message_id', d.id,
               'reason', 'stopped', 'partial_response', '', 'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from s
    cross join dropped d
    union all
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'command_id', c.id, 'command', c.command,
    'state', 'accepted', 'accepted_at', utc(c.accepted_at), 'delivered_at', null, 'applied_at', null,
    'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id, 'target_server_id', null,
    'fenced', false, 'detail', null), c.accepted_at, false
    from s
    cross join commanded c)
select p.role, p.chat_id is not null as found, s.id as session_id, s.server_id, c.id as command_id,
       exists (select from dropped) as dropped
from place p
left join s on true
left join commanded c on true
