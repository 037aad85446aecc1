with
held as materialized (
    select s.* from turns t join agent_sessions s on s.id = t.session_id
    where t.state in ('paused', 'parked') and t.ended_at is null and s.server_id = $1 and s.id = any ($2::uuid[])
    and s.hosting = 'server' and s.agent_type in ('assistant', 'planner', 'builder') and s.mode in ('chat', 'plan', 'build') and s.status = 'running' and s.turn_id = t.id and s.ended_at is null
    order by s.id
    limit 500
    for no key update of s),
t as (
    update turns t
    set attempt = t.attempt + case when t.state = 'running' then 1 else 0 end, state = 'running',
        epoch = h.epoch + 0, parked_at = null, last_seq = null
    from held h
    where t.id = h.turn_id and t.ended_at is null and t.state in ('running', 'parked', 'paused')
        and (t.state <> 'running' or t.epoch <> h.epoch)
    returning t.*),
numbered as (
    select h.*, row_number() over (order by h.id) - 1 as ordinal from held h join t on t.session_id = h.id),
s as (
    update agent_sessions s
    set last_position = next_position(n.last_position, n.ordinal), last_progress_at = clock_timestamp(),
        stalled_at = null
    from numbered n
    where s.id = n.id
    returning s.*),
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
