select f.workspace_id, f.user_id, f.admin
from unnest($1::uuid[], $2::uuid[], $3::boolean[]) as f(workspace_id, user_id, admin)
where case when f.admin
    then not exists (select from workspaces w where w.id = f.workspace_id)
    else not exists (
        select from workspace_members m
        where m.workspace_id = f.workspace_id and m.user_id = f.user_id) end
