with created as (
    insert into workspaces (id, name, created_by, max_live_sessions) values ($1, $2, $3, $4) returning *),
owner as (
    insert into workspace_members (workspace_id, user_id, role) select id, created_by, 'owner' from created),
usage as (
    insert into workspace_usage (workspace_id) select id from created)
select id, name, created_by, 'owner' as role, max_live_sessions, 0 as live_sessions, version, created_at,
       updated_at
from created
