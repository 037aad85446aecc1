select t.id, t.state, s.epoch, t.said, s.chat_id, s.status
from agent_sessions s
join turns t on t.id = s.turn_id
where s.id = $2 and s.server_id = $1 and t.ended_at is null
