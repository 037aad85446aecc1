select t.id, t.state, t.said, s.id as session_id, s.chat_id, s.epoch, s.status
from turns t
join agent_sessions s on s.id = t.session_id
where t.state in ('running', 'parked') and t.server_id = $1 and s.server_id = $1 and s.turn_id = t.id
    and s.ended_at is null
    and (s.status = 'idle' or s.status = 'running' and t.state = 'running' and t.epoch = s.epoch)
    and (s.last_progress_at is null or s.last_progress_at < now() - interval '5 seconds')
limit 500
