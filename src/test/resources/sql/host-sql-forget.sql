with gone as (
    delete from agent_hosts h where h.seen_at < now() - $1 * interval '1 millisecond' and (select count(*) from turns t
 where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now()) = 0 returning h.id),
let_go as (
    update turns t set state = 'parked', parked_at = now(), lease_until = null, host_id = null
where t.host_id in (select id from gone) and t.ended_at is null and t.state = 'running')
select count(*) as n from gone
