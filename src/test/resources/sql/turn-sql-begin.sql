with found as materialized (
    select m.session_id from messages m
    join agent_sessions s on s.id = m.session_id
    where m.state = 'new' and m.kind in ('user', 'answer') and s.server_id = $1 and s.ended_at is null
        and s.hosting = 'server' and s.agent_type in ('assistant', 'planner', 'builder') and s.mode in ('chat', 'plan', 'build')
    union
    select unnest($2::uuid[])),
held as materialized (
    select s.* from agent_sessions s
    where s.id in (select session_id from found) and s.server_id = $1 and s.hosting = 'server' and s.agent_type in ('assistant', 'planner', 'builder') and s.mode in ('chat', 'plan', 'build') and s.ended_at is null
    order by s.id
    limit 500
    for no key update of s),
next as materialized (
    select h.id as session_id, m.*, h.turn_id is not null as waited,
           budget_reached(
               h.turns, h.input_tokens + h.output_tokens, h.worked_ms,
               case when m.kind = 'answer' then null else h.max_turns end, h.max_tokens, h.max_seconds)
               as spent
    from held h
    left join turns w on w.id = h.turn_id and w.state = 'waiting'
    cross join lateral (
        select m.id as message_id, m.kind, m.content from messages m
        where m.session_id = h.id and m.state in ('new', 'waiting')
            and (m.kind = 'user' or m.kind = 'answer' and m.turn_id = w.id)
        order by m.kind = 'answer' desc, m.urgent desc, m.position
        limit 1
        for no key update of m) m
    where h.status in ('idle', 'running') and (h.turn_id is null or w.id is not null)),
o as materialized (
    select h.*, case when n.spent is null then 'running' else 'paused' end as next, n.spent as why,
           case when n.kind = 'user' and n.spent is null
               then left(regexp_replace(n.content, '\s+', ' ', 'g'), 200) end as task,
           null::text as message, null::jsonb as outcome,
           case when n.spent is not null then next_id() end as new_pause_id, null::bigint as pause_seconds,
           h.user_id as actor, false as ends, row_number() over (order by h.id) - 1 as ordinal,
           n.message_id, n.waited, n.waited and n.kind = 'answer' as answered,
           case when n.waited and n.kind = 'answer' then h.turn_id else next_id() end as next_turn
    from held h
    join next n on n.session_id = h.id
    union all
    -- resumed, but there is nothing to go on with
    select h.*, 'idle', 'nothing to do', null, null, null, null, null, null, false,
           (select count(*) from next) + row_number() over (order by h.id) - 1, null, false, false, null
    from held h
    where h.status = 'running' and h.turn_id is null and h.id = any ($2::uuid[])
        and not exists (select from next n where n.session_id = h.id)
        and exists (select from chats c where c.id = h.chat_id)),

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
        last_position = next_position(o.last_position, o.ordinal) + 1 + 0 + 2 + 1
        , turn_id = case when o.next = 'running' then o.next_turn else o.turn_id end,
        mail = case when o.next = 'running' then o.mail - 1 else o.mail end,
        turns = case when o.next = 'running' and not o.answered then o.turns + 1 else o.turns end,
        blocked_on = case when o.next = 'running' and o.waited then null else o.blocked_on end,
        last_progress_at = clock_timestamp()
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
running as (
    select m.*, o.turn_id as old_turn, o.waited, o.answered, o.message_id
    from moved m
    join o on o.id = m.id
    where m.status = 'running'),
left_off as (
    update turns t set state = 'stopped', ended_at = clock_timestamp()
    from running r
    where t.id = r.old_turn and r.waited and not r.answered
    returning t.*),
withdrawn as (
    update messages q set state = 'withdrawn'
    from left_off l
    where q.chat_id = l.chat_id and q.turn_id = l.id and q.kind = 'question' and q.state = 'open'),
kept as (
    insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
    select next_id(), l.workspace_id, l.chat_id, l.session_id, l.id, 'assistant', l.said,
           '{"partial": true, "reason": "superseded"}', r.last_position - 4
    from left_off l
    join running r on r.id = l.session_id
    where l.said <> ''),
begun as (
    insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, server_id)
    select r.turn_id, r.id, r.chat_id, r.workspace_id, r.message_id, 'running', r.epoch, r.server_id
    from running r
    -- one open turn a session: the old one is closed first
    left join left_off l on l.session_id = r.id
    where not r.answered and (l.id is null or l.ended_at is not null)
    returning *),
resumed as (
    update turns t set state = 'running', epoch = r.epoch, last_seq = null
    from running r
    where r.answered and t.id = r.turn_id
    returning t.*),
taken as (
    update messages m set state = 'taken', turn_id = r.turn_id, position = r.last_position
    from running r
    where m.id = r.message_id
    returning m.session_id, m.id, m.kind, m.content, m.data, m.traceparent),
queued as (
    update messages m set state = 'waiting'
    from held h
    where m.session_id = h.id and m.state = 'new' and m.kind in ('user', 'answer')
        and not exists (select from running r where r.message_id = m.id)),
t as (select * from begun union all select * from resumed),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', t.id, 'message_id', t.message_id,
    'attempt', t.attempt, 'agent_type', s.agent_type, 'model', s.model, 'mode', s.mode,
    'partial_response', t.said, 'at', utc(clock_timestamp()), 'epoch', s.epoch), clock_timestamp(), false
    from running s
    join t on t.session_id = s.id
    union all
    select s.last_position - 4, s.workspace_id, s.chat_id, s.id, 'stopped',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', l.id,
               'reason', 'superseded', 'partial_response', l.said, 'at', utc(l.ended_at)),
           l.ended_at, false
    from left_off l
    join running s on s.id = l.session_id)
select t.id as turn_id, t.message_id, t.said, t.attempt, s.id as session_id, s.chat_id, s.workspace_id, s.epoch,
s.agent_type, s.mode, s.model, s.max_tokens - s.input_tokens - s.output_tokens as tokens_left,
s.max_seconds * 1000 - s.worked_ms as millis_left,
(select c.goal from chats c where c.id = s.chat_id) as goal, n.kind, n.content, n.data::text as data, n.traceparent
from t
join running s on s.id = t.session_id
join taken n on n.session_id = s.id
