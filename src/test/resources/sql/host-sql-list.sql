select h.id, h.user_id, h.name, h.agent_types, h.models, h.capacity, h.registered_at, h.seen_at, (select count(*) from turns t
 where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now())::integer as turns from agent_hosts h
where $1::uuid is null or h.user_id = $1
order by h.id desc
limit $2
