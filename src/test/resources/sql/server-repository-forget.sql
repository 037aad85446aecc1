delete from servers v
where coalesce(v.left_at, v.lost_at) < now() - $1 * interval '1 millisecond'
    and not exists (select from agent_sessions s where s.server_id = v.id and s.ended_at is null)
