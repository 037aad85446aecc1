delete from stream_tokens where expires_at < now()
