update servers
set renewed_at = now(), sessions = $2, load = $3, watched = $4,
    counted_at = now() - $5 * interval '1 millisecond'
where id = $1 and lost_at is null and left_at is null
returning state, rebalance_at
