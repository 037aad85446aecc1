select distinct s.id from messages m
join agent_sessions s on s.id = m.session_id
where m.state = 'waiting' and m.kind = 'user' and s.server_id = $1 and s.ended_at is null
    and s.status in ('idle', 'running') and s.hosting = 'server' and s.agent_type in ('assistant', 'planner', 'builder') and s.mode in ('chat', 'plan', 'build')
    and (s.turn_id is null or exists (select from turns w where w.id = s.turn_id and w.state = 'waiting'))
limit 500
