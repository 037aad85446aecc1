update turns t set lease_until = now()
from unnest($2::uuid[], $3::bigint[]) as g (turn_id, epoch)
where t.id = g.turn_id and t.epoch = g.epoch and t.host_id = $1 and t.ended_at is null and t.state = 'running'
    and t.begun_at is null
