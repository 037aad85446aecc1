with opened as (
    update stream_tokens set expires_at = caller_expires_at
    where token_hash = $1 and path = $2 and expires_at > now() and expires_at < caller_expires_at)
select user_id, groups, caller_expires_at from stream_tokens
where token_hash = $1 and path = $2 and expires_at > now() and caller_expires_at > now()
