with room as materialized (select $3::integer as n),
held as materialized (
    select s.* from turns t
    join agent_sessions s on s.id = t.session_id
    join agent_hosts h on h.id = $1
    where s.hosting = 'external' and s.ended_at is null
    and (h.agent_types is null or s.agent_type = any (h.agent_types))
    and (h.models is null or s.model = any (h.models))
    and ($2::boolean or exists (
        select from workspace_members w
        where w.workspace_id = s.workspace_id and w.user_id = h.user_id and w.role in ('owner', 'admin', 'member'))) and t.host_id = $1 and t.ended_at is null and t.state = 'running' and t.begun_at is null and not t.stop_requested
    and s.status = 'running' and s.turn_id = t.id and s.ended_at is null
    order by s.updated_at, s.id
    limit (select n from room)
    for no key update of s skip locked),
t as (
    update turns t
    set attempt = t.attempt + case when t.state = 'running' and t.begun_at is not null then 1 else 0 end, state = 'running',
        epoch = h.epoch + 1, parked_at = null, last_seq = null, (host_id, lease_until, claimed_at, begun_at) = ($1::uuid, now() + $4 * interval '1 millisecond', clock_timestamp(), null::timestamptz)
    from held h
    where t.id = h.turn_id and t.ended_at is null and t.state in ('running', 'parked', 'paused')
        and t.host_id = $1 and t.ended_at is null and t.state = 'running' and t.begun_at is null and not t.stop_requested
    and h.status = 'running'
    returning t.*),
numbered as (
    select h.*, row_number() over (order by h.id) - 1 as ordinal from held h join t on t.session_id = h.id),
o as (
    select n.*, 'running' as next, null::text as why, null::text as task, null::text as message,
           null::jsonb as outcome, null::uuid as new_pause_id, null::bigint as pause_seconds, n.user_id as actor,
           false as ends
    from numbered n),
moved as (
    update agent_sessions s
    set status = o.next,
        version = o.version + 1,
        updated_at = clock_timestamp(),
        current_task = coalesce(o.task, o.current_task),
        error_message = coalesce(o.message, o.error_message),
        result = coalesce(o.outcome, o.result),
        pause_id = o.new_pause_id,
        pause_reason = case when o.next = 'paused' then o.why end,
        pause_by = case when o.next = 'paused' then o.actor end,
        pause_at = case when o.next = 'paused' then clock_timestamp() end,
        pause_expires_at = clock_timestamp() + o.pause_seconds * interval '1 second',
        paused_from = case when o.next = 'paused' then o.status end,
        resumed_pause_id = case when o.ends then o.resumed_pause_id
            else coalesce(o.pause_id, o.resumed_pause_id) end,
        open_commands = o.open_commands + case when case when o.hosting = 'server' and o.server_id is not null then
    case when o.next = 'paused' then 'pause'
         when o.next = 'cancelled' then 'cancel'
         when o.status = 'paused' and not o.ends then 'resume' end
end is null then 0 else 1 end,
        stalled_at = null,
        last_position = next_position(o.last_position, o.ordinal) + 0 + 0 + 2 + 1
        , epoch = o.epoch + 1, last_progress_at = clock_timestamp()
    from o
    where s.id = o.id
    returning s.*, o.status as previous_status, o.current_task as previous_task, o.why,
        case when o.hosting = 'server' and o.server_id is not null then
    case when o.next = 'paused' then 'pause'
         when o.next = 'cancelled' then 'cancel'
         when o.status = 'paused' and not o.ends then 'resume' end
end as command, 0 as left_told),
silenced as (
    delete from session_heartbeats h using moved m
    where (m.ended_at is not null or m.hosting = 'external' and m.status = 'idle'
        -- looked up one by one: an exists would be read from the whole table
        and (select c.id from chats c where c.id = m.chat_id and c.workspace_id = m.workspace_id) is not null) and h.session_id = m.id),
commanded as (
    insert into session_commands (id, session_id, command, server_id, epoch, traceparent)
    select next_id(), m.id, m.command, m.server_id, m.epoch, null
    from moved m
    where m.command is not null
    returning *),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position - 1 - 2, m.workspace_id, m.chat_id, m.id, 'agent_status', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'status', m.status, 'previous_status', m.previous_status, 'reason', m.why, 'at', utc(m.updated_at),
    'epoch', m.epoch, 'version', m.version), m.updated_at,
           m.ended_at is not null and m.open_commands = 0
    from moved m
    where m.status is distinct from m.previous_status
    union all
    select m.last_position - 1 - 1, m.workspace_id, m.chat_id, m.id, 'agent_task', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'task', m.current_task, 'at', utc(m.updated_at), 'version', m.version), m.updated_at, false
    from moved m
    where m.current_task is distinct from m.previous_task
    union all
select m.last_position - 1, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'accepted' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.accepted_at, false
from commanded c join moved m on m.id = c.session_id)
,
s as (
    select * from moved),
beating as (
    insert into session_heartbeats (session_id) select id from s
    on conflict (session_id) do update set beat_at = now()),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', t.id, 'message_id', t.message_id,
    'attempt', t.attempt, 'agent_type', s.agent_type, 'model', s.model, 'mode', s.mode,
    'partial_response', t.said, 'at', utc(clock_timestamp()), 'epoch', s.epoch), clock_timestamp(), false
    from s
    join t on t.session_id = s.id)
select t.id as turn_id, t.message_id, t.said, t.attempt, s.id as session_id, s.chat_id, s.workspace_id, s.epoch,
s.agent_type, s.mode, s.model, s.max_tokens - s.input_tokens - s.output_tokens as tokens_left,
s.max_seconds * 1000 - s.worked_ms as millis_left,
(select c.goal from chats c where c.id = s.chat_id) as goal, null::text as kind, null::text as content, null::text as data,
       (select m.traceparent from messages m where m.id = t.message_id) as traceparent
from s
join t on t.session_id = s.id
