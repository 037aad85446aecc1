update workspace_members set role = $3, updated_at = now()
where workspace_id = $1 and user_id = $2
returning workspace_id, user_id, role, created_at, updated_at
