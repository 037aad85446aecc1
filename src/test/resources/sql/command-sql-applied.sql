select id from session_commands where id = any ($1::uuid[]) and applied_at is not null
