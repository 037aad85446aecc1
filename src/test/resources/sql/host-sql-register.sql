insert into agent_hosts as h (id, user_id, name, agent_types, models, capacity)
values ($1, $2, $3, $4, $5, $6)
returning h.id, h.user_id, h.name, h.agent_types, h.models, h.capacity, h.registered_at, h.seen_at, (select count(*) from turns t
 where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now())::integer as turns
