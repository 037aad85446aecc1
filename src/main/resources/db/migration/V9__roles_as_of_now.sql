-- A member's role, or null, as of this moment: under a lock that its statement has waited for, not as of when the
-- statement began, as any other read of a statement is.
create function role_now(workspace uuid, member uuid) returns text
    language plpgsql volatile
as $$
begin
    return (select m.role from workspace_members m where m.workspace_id = workspace and m.user_id = member);
end
$$;
