select t.id as turn_id, t.session_id, t.chat_id, s.epoch, t.said,
       -- of one that a host has ended itself it is in the sums
       case when t.state = 'parked' and t.host_id is null and t.begun_at is not null
           then (extract(epoch from t.parked_at - t.claimed_at) * 1000)::bigint else 0 end as worked_ms
from turns t
join agent_sessions s on s.id = t.session_id
where t.claimed_at is not null and t.ended_at is null and s.ended_at is null and s.turn_id = t.id
    and s.status = 'running' and not t.stop_requested
    and (t.state in ('parked', 'paused')
        or t.state = 'running' and t.lease_until <= now() and t.begun_at is null)
order by s.id
limit $1
for no key update of s, t skip locked
