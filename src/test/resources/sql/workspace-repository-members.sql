select workspace_id, user_id, role, created_at, updated_at from workspace_members
where workspace_id = $1
order by created_at, user_id
