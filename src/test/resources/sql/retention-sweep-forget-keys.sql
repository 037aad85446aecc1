delete from idempotency_keys where (user_id, key) in (
    select user_id, key from idempotency_keys
    where created_at < now() - $1 * interval '1 second'
    order by created_at limit $2 for update skip locked)
