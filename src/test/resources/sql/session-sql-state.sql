select now.position, now.seen, now.is_chat, s.*
from (select events_newest() as position,
             array(select e.position from events e
                   where e.position >= events_horizon() and e.workspace_id = $1
                       and ($2::uuid is null or e.chat_id = $2)) as seen,
             exists (select from chats c where c.id = $2 and c.workspace_id = $1) as is_chat) now
left join lateral (
    (select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, null::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, h.beat_at, v.renewed_at)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds, s.open_commands from agent_sessions s left join servers v on v.id = s.server_id
left join session_heartbeats h on h.session_id = s.id

     where s.chat_id = $2 and s.workspace_id = $1
     order by (s.ended_at is null) desc, s.id desc
     limit 1)
    union all
    (select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, null::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, h.beat_at, v.renewed_at)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds, s.open_commands from agent_sessions s left join servers v on v.id = s.server_id
left join session_heartbeats h on h.session_id = s.id

     where $3::boolean and $2::uuid is null and s.workspace_id = $1 and s.ended_at is null
     order by s.id desc
     limit 1001)) s on true
