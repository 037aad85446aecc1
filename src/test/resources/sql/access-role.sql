select m.role from workspaces w
left join workspace_members m on m.workspace_id = w.id and m.user_id = $2
where w.id = $1
