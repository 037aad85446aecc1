delete from workspace_members where workspace_id = $1 and user_id = $2
