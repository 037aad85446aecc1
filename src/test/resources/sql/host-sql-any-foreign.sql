select exists (select from turns t where t.id = any ($1::uuid[]) and not ($2::uuid is null or exists (
        select from workspace_members w
        where w.workspace_id = t.workspace_id and w.user_id = $2 and w.role in ('owner', 'admin', 'member')))) as foreign_too
