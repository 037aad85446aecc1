select count(*) as sessions, count(*) filter (where status = 'running') as running,
       (select count(*) from session_commands where applied_at is null and server_id = $1) as commands,
       (select coalesce((extract(epoch from clock_timestamp() - min(accepted_at)) * 1000)::bigint, 0)
        from session_commands where applied_at is null and server_id = $1) as oldest
from agent_sessions where server_id = $1 and ended_at is null
