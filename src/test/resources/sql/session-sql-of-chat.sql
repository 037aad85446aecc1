select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, s.result::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, case s.hosting
    when 'server' then (select v.renewed_at from servers v where v.id = s.server_id)
    else (select h.beat_at from session_heartbeats h where h.session_id = s.id) end)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds from agent_sessions s
where s.chat_id = $2 and s.workspace_id = $1
order by (s.ended_at is null) desc, s.id desc
limit 1
