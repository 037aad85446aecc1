select server_id, count(*) as sessions, count(*) filter (where status = 'running') as running
from agent_sessions
where server_id = any ($1::uuid[]) and ended_at is null
group by server_id
