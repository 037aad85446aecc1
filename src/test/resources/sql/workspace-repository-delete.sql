delete from workspaces where id = $1
