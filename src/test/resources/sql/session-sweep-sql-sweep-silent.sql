with hearing as (
    insert into sweeps (name, started_at, finished_at) values ('hearing', now(), now())
    on conflict (name) do update set
        started_at = case when sweeps.finished_at < now() - $2 * interval '1 millisecond' then now()
            else sweeps.started_at end,
        finished_at = now()
    returning started_at),
due as materialized (
    select s.*, 'stale' as why,
case when s.status = 'running'
    then format('No heartbeat for %s s', extract(epoch from now() - h.beat_at)::bigint) end as message
    from session_heartbeats h
cross join lateral (
    select a.* from agent_sessions a
    join session_heartbeats b on b.session_id = a.id
    where a.id = h.session_id
        and b.beat_at < now() - $1 * interval '1 millisecond'
        and a.status in ('running', 'idle') and a.hosting = 'external'
        and (a.turn_id is null or (
            select t.claimed_at is null or t.state = 'running' and t.begun_at is not null
            from turns t where t.id = a.turn_id))
        and (a.status = 'running' or (
            select c.id from chats c where c.id = a.chat_id and c.workspace_id = a.workspace_id) is null)
    for no key update skip locked) s
where h.beat_at < now() - $1 * interval '1 millisecond'
    and (select started_at from hearing) < now() - $1 * interval '1 millisecond'
limit 500),
going as materialized (
    select s.*, case when s.status = 'running' then 'error' else 'cancelled' end as next from due s),
placed as (
    select g.*, p.places, sum(p.places) over (order by g.id) as up_to
    from going g
    cross join lateral (
        select case when g.next in ('cancelled', 'error') then (g.mail + 21) / 16 else 1 end as places) p),
o as (
    select p.*, null::text as task, null::jsonb as outcome, null::uuid as new_pause_id,
           null::bigint as pause_seconds, null::uuid as actor, next in ('cancelled', 'error') as ends,
           up_to - places as ordinal
    from placed p
    where up_to <= 4096 or up_to = places),
ending as materialized (
    select o.id, o.workspace_id, w.*
    from o
    cross join lateral end_work(o.id, o.next, null::uuid, next_position(o.last_position, o.ordinal) + 0) w
    where o.ends and (o.mail > 0 or o.turn_id is distinct from null::uuid)),
moved as (
    update agent_sessions s
    set status = o.next,
        version = o.version + 1,
        updated_at = clock_timestamp(),
        current_task = coalesce(o.task, o.current_task),
        error_message = coalesce(o.message, o.error_message),
        result = coalesce(o.outcome, o.result),
        ended_at = case when o.ends then clock_timestamp() end,
        last_heartbeat = case when o.ends then greatest(
            o.created_at,
            (select h.beat_at from session_heartbeats h where h.session_id = o.id),
            (select v.renewed_at from servers v where v.id = o.server_id)) end,
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
        last_position = next_position(o.last_position, o.ordinal) + 0 + coalesce(e.told, 0) + 2 + 0
        , input_tokens = o.input_tokens + coalesce(e.input, 0),
        output_tokens = o.output_tokens + coalesce(e.output, 0),
        mail = case when o.ends then 0 else o.mail end,
        turn_id = case when o.ends then null else o.turn_id end,
        blocked_on = case when o.ends and o.turn_id is not null then null else o.blocked_on end
    from o
    left join ending e on e.id = o.id
    where s.id = o.id
    returning s.*, o.status as previous_status, o.current_task as previous_task, o.why,
        case when o.hosting = 'server' and o.server_id is not null then
    case when o.next = 'paused' then 'pause'
         when o.next = 'cancelled' then 'cancel'
         when o.status = 'paused' and not o.ends then 'resume' end
end as command, coalesce(e.told, 0) as left_told),
revived as (
    update session_heartbeats h set beat_at = now() from moved m
    where m.previous_status = 'paused' and m.ended_at is null and not (m.hosting = 'external' and m.status = 'idle'
        -- looked up one by one: an exists would be read from the whole table
        and (select c.id from chats c where c.id = m.chat_id and c.workspace_id = m.workspace_id) is not null) and h.session_id = m.id),
silenced as (
    delete from session_heartbeats h using moved m
    where (m.ended_at is not null or m.hosting = 'external' and m.status = 'idle'
        -- looked up one by one: an exists would be read from the whole table
        and (select c.id from chats c where c.id = m.chat_id and c.workspace_id = m.workspace_id) is not null) and h.session_id = m.id),
freed as (
    update workspace_usage u set live_sessions = u.live_sessions - ended.n
    from (select workspace_id, count(*) as n from moved where ended_at is not null
          group by 1 order by 1) ended
    where u.workspace_id = ended.workspace_id),
commanded as (
    insert into session_commands (id, session_id, command, server_id, epoch, traceparent)
    select next_id(), m.id, m.command, m.server_id, m.epoch, null
    from moved m
    where m.command is not null
    returning *),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position - 0 - 2, m.workspace_id, m.chat_id, m.id, 'agent_status', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'status', m.status, 'previous_status', m.previous_status, 'reason', m.why, 'at', utc(m.updated_at),
    'epoch', m.epoch, 'version', m.version), m.updated_at,
           m.ended_at is not null and m.open_commands = 0
    from moved m
    where m.status is distinct from m.previous_status
    union all
    select m.last_position - 0 - 1, m.workspace_id, m.chat_id, m.id, 'agent_task', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'task', m.current_task, 'at', utc(m.updated_at), 'version', m.version), m.updated_at, false
    from moved m
    where m.current_task is distinct from m.previous_task
    union all
select m.last_position - 0, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'accepted' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.accepted_at, false
from commanded c join moved m on m.id = c.session_id)
,
spent as (
    insert into workspace_spending as w (workspace_id, turns, input_tokens, output_tokens)
    select e.workspace_id, sum(e.turns), sum(e.input), sum(e.output) from ending e
    where e.turns > 0
    group by 1
    order by 1
    on conflict (workspace_id) do update
    set turns = w.turns + excluded.turns, input_tokens = w.input_tokens + excluded.input_tokens,
        output_tokens = w.output_tokens + excluded.output_tokens)

select count(*) as n, count(*) filter (where status = 'error') as failed from moved
