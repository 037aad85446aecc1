select w.id, w.name, w.created_by, m.role, w.max_live_sessions, u.live_sessions, w.version, w.created_at,
       w.updated_at
from workspaces w
join workspace_usage u on u.workspace_id = w.id
left join workspace_members m on m.workspace_id = w.id and m.user_id = $1
