select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, null::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, h.beat_at, v.renewed_at)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds
from agent_sessions s
left join servers v on v.id = s.server_id
left join session_heartbeats h on h.session_id = s.id
where s.workspace_id = $1
    and ($2::text[] is null or s.status = any ($2))
    and ($3::text is null or s.agent_type = $3)
    and ($4::uuid is null or s.user_id = $4)
    and ($5::uuid is null or s.server_id = $5)
    and ($6::text is null or s.labels @> $6::text::jsonb)
    and ($7::uuid is null or s.id < $7)
order by s.id desc
limit $8
