select workspace_id, user_id, role, created_at, updated_at, (
    select count(*) from workspace_members o
    where o.workspace_id = $1 and o.user_id <> $2 and o.role = 'owner') as other_owners
from workspace_members where workspace_id = $1 and user_id = $2
