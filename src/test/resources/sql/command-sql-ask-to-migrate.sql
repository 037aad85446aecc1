with old as (
    select s.* from agent_sessions s where s.id = $1 for no key update),
commanded as (
    insert into session_commands (id, session_id, command, server_id, epoch, target_id, traceparent)
    select $2::uuid, o.id, 'migrate', o.server_id, o.epoch, $3::uuid, $4::text
    from old o
    where o.ended_at is null and o.hosting = 'server' and o.server_id is not null
        and o.status in ('idle', 'running', 'paused')
        and o.server_id is distinct from $3::uuid
    returning *),
placed as (
    update agent_sessions s
    set last_position = next_position(o.last_position, 0), open_commands = o.open_commands + 1
    from old o join commanded c on c.session_id = o.id
    where s.id = o.id
    returning s.*),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'accepted' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.accepted_at, false
    from commanded c join placed m on m.id = c.session_id)
select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, s.result::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, h.beat_at, v.renewed_at)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds, c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
c.applied_at, c.fenced, c.rejected_why, exists (select from commanded) as commanded
from old s
left join servers v on v.id = s.server_id
left join session_heartbeats h on h.session_id = s.id

left join commanded c on true
