insert into stream_tokens (token_hash, user_id, groups, caller_expires_at, path, expires_at)
values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')
