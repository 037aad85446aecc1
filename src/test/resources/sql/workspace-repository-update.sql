update workspaces set name = coalesce($2, name), max_live_sessions = coalesce($3, max_live_sessions),
    version = version + 1, updated_at = now()
where id = $1
