insert into workspace_members (workspace_id, user_id, role) values ($1, $2, $3)
on conflict (workspace_id, user_id) do update set role = workspace_members.role
returning workspace_id, user_id, role, created_at, updated_at, xmax = 0 as added
