update servers set rebalance_at = now() where id = any ($1::uuid[]) and lost_at is null and left_at is null
