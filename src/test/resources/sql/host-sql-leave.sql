with gone as (
    delete from agent_hosts h where h.id = $1 returning h.id),
given_back as (
    update turns t set state = 'parked', parked_at = now(), lease_until = null, host_id = null
    from gone
    where t.host_id = gone.id and t.ended_at is null and t.state = 'running')
select count(*) as n from gone
