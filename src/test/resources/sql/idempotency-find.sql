select fingerprint, status, headers::text, body from idempotency_keys where user_id = $1 and key = $2
