select c.id, c.session_id, c.target_id, s.server_id, s.requires::text, s.ended_at is not null as ended
from session_commands c
join agent_sessions s on s.id = c.session_id
where c.applied_at is null and c.command = 'migrate'
    and c.accepted_at < now() - $1 * interval '1 millisecond'
limit 100
