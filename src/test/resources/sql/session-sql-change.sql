with old as (
    select s.* from agent_sessions s where s.id = $1 for no key update),

moved as (
    update agent_sessions s
    set version = o.version + 1,
        updated_at = clock_timestamp(),
        current_task = case when $4::boolean then $5::text else o.current_task end,
        model = coalesce($6::text, o.model),
        mode = coalesce($7::text, o.mode),
        agent_type = coalesce($8::text, o.agent_type),
        labels = coalesce($9::text::jsonb, o.labels),
        blocked_on = case when $10::boolean then $11::text else o.blocked_on end,
        last_progress_at = case when $12::boolean then clock_timestamp() else o.last_progress_at end,
        stalled_at = case when $12::boolean then null else o.stalled_at end,
        max_turns = case when $15::boolean then $16::integer else o.max_turns end,
        max_tokens = case when $15::boolean then $17::bigint else o.max_tokens end,
        max_seconds = case when $15::boolean then $18::bigint else o.max_seconds end,
        last_position = next_position(o.last_position, 0) + 1
    from old o
    where s.id = o.id
        and o.ended_at is null
        and ($2::uuid is null or o.user_id = $2
    and case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = o.workspace_id and m.user_id = $2)
    else role_now(o.workspace_id, $2) end in ('owner', 'admin', 'member'))
        and ($3::bigint[] is null or o.version = any ($3))
        and ($13::bigint is null or o.epoch = $13)
    returning s.*, o.current_task as previous_task),
beat as (
    update session_heartbeats h set beat_at = now() from moved m where $14::boolean and h.session_id = m.id),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position - 1, m.workspace_id, m.chat_id, m.id, 'agent_updated',
           jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
               'model', m.model, 'mode', m.mode, 'labels', m.labels, 'blocked_on', m.blocked_on,
               'budget', jsonb_build_object('max_turns', m.max_turns, 'max_tokens', m.max_tokens,
                   'max_seconds', m.max_seconds), 'at', utc(m.updated_at), 'version', m.version),
           m.updated_at, false
    from moved m
    where $6::text is not null or $7::text is not null or $8::text is not null or $9::text is not null
        or $10::boolean or $15::boolean
    union all
    select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_task', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'task', m.current_task, 'at', utc(m.updated_at), 'version', m.version), m.updated_at, false
    from moved m
    where m.current_task is distinct from m.previous_task)
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
       old.resumed_pause_id as old_resumed_pause_id, old.epoch as old_epoch
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
