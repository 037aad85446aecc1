with room as materialized (select greatest(0, least($3::integer, host_room($1::uuid))) as n),
held as materialized (
    select s.* from turns t
    join agent_sessions s on s.id = t.session_id
    join agent_hosts h on h.id = $1
    where s.hosting = 'external' and s.ended_at is null
    and (h.agent_types is null or s.agent_type = any (h.agent_types))
    and (h.models is null or s.model = any (h.models))
    and ($2::boolean or exists (
        select from workspace_members w
        where w.workspace_id = s.workspace_id and w.user_id = h.user_id
            and w.role in ('owner', 'admin', 'member'))) and t.claimed_at is not null and t.ended_at is null and not t.stop_requested
    and (t.state in ('paused', 'parked') or t.state = 'running' and t.lease_until <= now() and t.attempt < $5) and s.turn_id = t.id and s.status = 'running' and s.ended_at is null
    order by s.updated_at, s.id
    limit (select n from room)
    for no key update of s skip locked),
t as (
    update turns t
    set attempt = t.attempt + case when t.state = 'running' then 1 else 0 end, state = 'running',
        epoch = h.epoch + 1, parked_at = null, last_seq = null, (host_id, lease_until, claimed_at) = ($1::uuid, now() + $4 * interval '1 millisecond', clock_timestamp())
    from held h
    where t.id = h.turn_id and t.ended_at is null and t.state in ('running', 'parked', 'paused')
        and t.claimed_at is not null and t.ended_at is null and not t.stop_requested
    and (t.state in ('paused', 'parked') or t.state = 'running' and t.lease_until <= now() and t.attempt < $5)
    returning t.*),
numbered as (
    select h.*, row_number() over (order by h.id) - 1 as ordinal from held h join t on t.session_id = h.id),
s as (
    update agent_sessions s
    set last_position = next_position(n.last_position, n.ordinal), last_progress_at = clock_timestamp(),
        stalled_at = null, epoch = n.epoch + 1
    from numbered n
    where s.id = n.id
    returning s.*),
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
