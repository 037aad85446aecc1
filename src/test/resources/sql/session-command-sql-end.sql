with old as (
    select s.* from agent_sessions s where s.id = $1 for no key update),

o as (
    select o.*, $4::text as next, coalesce($5::text, $7::text) as why,
           $6::text as task, $7::text as message,
           $8::text::jsonb as outcome, $11::uuid as new_pause_id, $12::bigint as pause_seconds,
           $13::uuid as actor, true as ends, 0 as ordinal
    from old o
    where o.status = any ($3::text[])
        and ($9::bigint[] is null or o.version = any ($9))
        and ($10::uuid is null or o.pause_id = $10)
        and o.status <> $4
        and (($2::uuid is null or o.user_id = $2
    and case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = o.workspace_id and m.user_id = $2)
    else role_now(o.workspace_id, $2) end in ('owner', 'admin', 'member')) or $4::text = 'cancelled' and (o.user_id <> $2 and case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = o.workspace_id and m.user_id = $2)
    else role_now(o.workspace_id, $2) end in ('owner', 'admin')
    and coalesce(case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = o.workspace_id and m.user_id = o.user_id)
    else role_now(o.workspace_id, o.user_id) end not in ('owner', 'admin', 'member'), true)))),
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
    select next_id(), m.id, m.command, m.server_id, m.epoch, $14::text
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

select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, s.result::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, case s.hosting
    when 'server' then (select v.renewed_at from servers v where v.id = s.server_id)
    else (select h.beat_at from session_heartbeats h where h.session_id = s.id) end)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds,
       s.applied, old.status as old_status, old.version as old_version, old.pause_id as old_pause_id,
       old.resumed_pause_id as old_resumed_pause_id, old.epoch as old_epoch, c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
c.applied_at, c.fenced, c.rejected_why,
       null::text as work
from (select id, workspace_id, chat_id, user_id, agent_type, status, model, mode, chat_name, current_task, blocked_on,
labels, error_message, result, hosting, server_id, server_hostname, epoch, version, created_at, updated_at,
last_progress_at, ended_at, last_heartbeat, pause_id, pause_reason, pause_by, pause_at, pause_expires_at,
paused_from, resumed_pause_id, last_position, requires, open_commands, stalled_at, turns, input_tokens,
output_tokens, worked_ms, max_turns, max_tokens, max_seconds, true as applied from moved
      union all
      select id, workspace_id, chat_id, user_id, agent_type, status, model, mode, chat_name, current_task, blocked_on,
labels, error_message, result, hosting, server_id, server_hostname, epoch, version, created_at, updated_at,
last_progress_at, ended_at, last_heartbeat, pause_id, pause_reason, pause_by, pause_at, pause_expires_at,
paused_from, resumed_pause_id, last_position, requires, open_commands, stalled_at, turns, input_tokens,
output_tokens, worked_ms, max_turns, max_tokens, max_seconds, false from old where not exists (select from moved)) s
cross join old
left join lateral (
    select c.* from commanded c
    union all
    (select c.* from session_commands c
     where not s.applied and c.session_id = s.id
         and c.command = case $4::text
             when 'paused' then 'pause' when 'cancelled' then 'cancel' else 'resume' end
     order by c.accepted_at desc, c.id desc
     limit 1)) c on true
