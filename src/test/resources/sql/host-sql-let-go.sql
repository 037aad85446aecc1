update turns t set state = 'parked', parked_at = now(), lease_until = null, host_id = null
where t.host_id = $1 and t.ended_at is null and t.state = 'running'
