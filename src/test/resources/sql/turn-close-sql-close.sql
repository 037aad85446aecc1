with given as materialized (
    select * from jsonb_to_recordset($2::text::jsonb) as g (
        turn_id uuid, session_id uuid, epoch bigint, ending text, said text, reason text, message text,
        question_id uuid, schema jsonb, input_tokens bigint, output_tokens bigint, worked_ms bigint)),
held as materialized (
    select s.* from agent_sessions s
    where s.id in (select session_id from given) and s.server_id is not distinct from $1
    order by s.id
    for no key update of s),
current as materialized (
    select t.id, t.session_id, t.state, t.owes_usage from turns t
    where t.id in (select g.turn_id from given g join held h on h.id = g.session_id and h.epoch = g.epoch)
    order by t.id
    for no key update of t),
-- its answer was lost
again as (
    select h.id, h.mail, h.turn_id from held h
    join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id
    join current c on c.id = h.turn_id
    where c.state = 'waiting' and g.ending = 'waiting'
        or c.state in ('paused', 'parked') and g.ending in ('paused', 'parked', 'spent')
        or c.state = 'paused' and g.ending = 'returned' and h.status <> 'running'),
late as materialized (
    select h.id, h.workspace_id, c.id as late_turn, g.input_tokens as used_in, g.output_tokens as used_out,
           g.worked_ms as used_ms
    from held h
    join given g on g.session_id = h.id and g.epoch = h.epoch
    join current c on c.id = g.turn_id and c.session_id = h.id
    where h.ended_at is not null and h.turn_id is null and c.owes_usage),
late_turns as (
    update turns t
    set owes_usage = false, input_tokens = t.input_tokens + l.used_in,
        output_tokens = t.output_tokens + l.used_out, worked_ms = t.worked_ms + l.used_ms
    from late l
    where t.id = l.late_turn),
late_sessions as (
    update agent_sessions s
    set input_tokens = s.input_tokens + l.used_in, output_tokens = s.output_tokens + l.used_out,
        worked_ms = s.worked_ms + l.used_ms
    from late l
    where s.id = l.id),
mine as materialized (
    select h.*, g.turn_id as closed_turn, g.ending, g.said, g.reason, g.message as words, g.question_id, g.schema,
           g.input_tokens as used_in, g.output_tokens as used_out, g.worked_ms as used_ms,
           g.ending in ('done', 'stopped', 'failed') as over,
           sum(p.places) over (order by h.id) - p.places as ordinal,
           case when g.ending = 'done' then budget_reached(
               h.turns, h.input_tokens + h.output_tokens + g.input_tokens + g.output_tokens,
               h.worked_ms + g.worked_ms, null, h.max_tokens, h.max_seconds) end as spent
    from held h
    join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id
    cross join lateral (
        select case when g.ending = 'failed' and h.status = 'running' then (h.mail + 21) / 16 else 1 end as places) p
    where h.turn_id not in (select turn_id from again)),
o as materialized (
    select m.*,
           case when m.ending = 'failed' then 'error'
                when m.ending = 'spent' or m.spent is not null then 'paused' else 'idle' end as next,
           coalesce(m.spent, case
               when m.ending in ('failed', 'spent') then coalesce(m.reason, m.words)
               when m.ending = 'returned' then 'waits for a host' end) as why,
           null::text as task, case when m.ending = 'failed' then m.words end as message,
           null::jsonb as outcome,
           case when m.ending = 'spent' or m.spent is not null then next_id() end as new_pause_id,
           null::bigint as pause_seconds, m.user_id as actor, m.ending = 'failed' as ends
    from mine m
    where m.status = 'running' and m.ending not in ('parked', 'paused')),

ending as materialized (
    select o.id, o.workspace_id, w.*
    from o
    cross join lateral end_work(o.id, o.next, o.closed_turn, next_position(o.last_position, o.ordinal) + 1) w
    where o.ends and (o.mail > 0 or o.turn_id is distinct from o.closed_turn)),
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
        last_position = next_position(o.last_position, o.ordinal) + 1 + coalesce(e.told, 0) + 2 + 0
        , mail = case when o.ends then 0 else o.mail end,
        turn_id = case when o.over then null else o.turn_id end,
        input_tokens = o.input_tokens + o.used_in,
        output_tokens = o.output_tokens + o.used_out,
        worked_ms = o.worked_ms + o.used_ms,
        blocked_on = case when o.ending = 'waiting' then left(o.words, 1000) when not o.over then o.blocked_on end,
        last_progress_at = clock_timestamp()
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
still as (
    update agent_sessions s
    set turn_id = case when m.over then null else m.turn_id end,
        input_tokens = m.input_tokens + m.used_in,
        output_tokens = m.output_tokens + m.used_out,
        worked_ms = m.worked_ms + m.used_ms,
        -- a pause that met the end of the turn: there is nothing to go on with
        paused_from = case when (m.over or m.ending = 'waiting') and m.paused_from = 'running' then 'idle'
            else m.paused_from end,
        blocked_on = case when m.ending = 'waiting' then left(m.words, 1000) when not m.over then m.blocked_on end,
        last_position = next_position(m.last_position, m.ordinal)
    from mine m
    where s.id = m.id and not exists (select from o where o.id = m.id)
    returning s.*),
kept as (
    select n.id, n.workspace_id, n.chat_id, n.agent_type, n.epoch, n.version, n.mail,
           n.last_position - 3 - n.left_told as position
    from moved n
    union all
    select n.id, n.workspace_id, n.chat_id, n.agent_type, n.epoch, n.version, n.mail, n.last_position from still n),
closed as (
    update turns t
    set state = case when m.ending = 'paused' and m.status = 'running' then 'parked'
            when m.ending in ('spent', 'returned') then 'paused' else m.ending end, said = m.said,
        ended_at = case when m.over then clock_timestamp() end,
        parked_at = case when m.ending in ('parked', 'paused', 'returned') then now() end,
        input_tokens = t.input_tokens + m.used_in,
        output_tokens = t.output_tokens + m.used_out,
        worked_ms = t.worked_ms + m.used_ms
    from mine m
    where t.id = m.closed_turn),
written as (
    insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, state, position)
    select coalesce(m.question_id, next_id()), n.workspace_id, n.chat_id, n.id, m.closed_turn,
           case when m.ending = 'waiting' then 'question' else 'assistant' end,
           case when m.ending = 'waiting' then m.words else m.said end,
           case when m.ending = 'waiting'
                    then jsonb_build_object('question_id', m.question_id, 'schema', m.schema)
                when m.ending = 'done' then '{}'
                else jsonb_build_object('partial', true, 'reason', m.reason) end,
           case when m.ending = 'waiting' then 'open' end, n.position
    from mine m
    join kept n on n.id = m.id
    where m.ending in ('done', 'waiting') or (m.over and m.said <> '')),
withdrawn as (
    update messages q set state = 'withdrawn'
    from mine m
    where m.over and q.chat_id = m.chat_id and q.turn_id = m.closed_turn and q.kind = 'question'
        and q.state = 'open'),
spending as (
    insert into workspace_spending as w (workspace_id, turns, input_tokens, output_tokens, worked_ms)
    select workspace_id, count(*) filter (where over), sum(used_in), sum(used_out), sum(used_ms)
    from (select workspace_id, over, used_in, used_out, used_ms from mine
          union all
          select workspace_id, false, used_in, used_out, used_ms from late) u
    group by 1
    order by 1
    on conflict (workspace_id) do update
    set turns = w.turns + excluded.turns, input_tokens = w.input_tokens + excluded.input_tokens,
        output_tokens = w.output_tokens + excluded.output_tokens, worked_ms = w.worked_ms + excluded.worked_ms),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select n.position, n.workspace_id, n.chat_id, n.id,
           case m.ending when 'done' then 'done' when 'failed' then 'error' when 'waiting' then 'question_pending'
               else 'stopped' end,
           jsonb_build_object('session_id', n.id, 'chat_id', n.chat_id, 'turn_id', m.closed_turn,
               'agent_type', n.agent_type, 'at', utc(clock_timestamp()), 'epoch', n.epoch)
           || case m.ending
               when 'done' then jsonb_build_object('message', m.said, 'usage', jsonb_build_object(
                   'input_tokens', m.used_in, 'output_tokens', m.used_out, 'milliseconds', m.used_ms))
               when 'failed' then jsonb_build_object('message', m.words, 'partial_response', m.said)
               when 'waiting' then jsonb_build_object('question_id', m.question_id, 'question', m.words,
                   'schema', m.schema, 'partial_response', m.said)
               else jsonb_build_object('reason', m.reason, 'partial_response', m.said) end,
           clock_timestamp(), false
    from mine m
    join kept n on n.id = m.id
    where m.ending not in ('parked', 'returned'))
select id, mail from kept
union all
select id, mail from again
union all
select id, 0 from late
