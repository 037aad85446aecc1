with seen as materialized (
    select s.id, s.chat_id, coalesce(case when $2::uuid is null then 'control'
     when s.user_id = $2 then (
         select case when m.role in ('owner', 'admin', 'member') then 'control'
                     when m.role = 'viewer' then 'read' end
         from workspace_members m
         where m.workspace_id = s.workspace_id and m.user_id = $2) end, (
    select 'end' from workspace_members m
    where m.workspace_id = s.workspace_id and m.user_id = $2 and m.role in ('owner', 'admin')
        and s.user_id <> $2
        and not exists (
            select from workspace_members o
            where o.workspace_id = s.workspace_id and o.user_id = s.user_id
                and o.role in ('owner', 'admin', 'member')))) as permission from agent_sessions s where s.id = $1)
select seen.permission, e.*
from seen
left join (
    seen s cross join lateral (
