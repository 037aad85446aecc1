update idempotency_keys set headers = $3::text::jsonb, body = $4 where user_id = $1 and key = $2
