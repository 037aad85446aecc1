select 1 from workspaces where id = $1 for update
