insert into idempotency_keys (user_id, key, fingerprint, status, headers, body)
values ($1, $2, $3, $4, $5::text::jsonb, $6)
on conflict do nothing
