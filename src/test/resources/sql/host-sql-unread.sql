update turns t set lease_until = now()
where t.id = any ($2::uuid[]) and t.host_id = $1 and t.ended_at is null and t.state = 'running'
    and t.begun_at is null
