with beats as materialized (
    select s.id, s.status, s.epoch, s.ended_at is null as live,
           s.ended_at is null
               and (s.id, s.epoch) in (select * from unnest($1::uuid[], $2::bigint[])) as extends,
           case when $3::uuid is null then 'control'
     when s.user_id = $3 then (
         select case when m.role in ('owner', 'admin', 'member') then 'control'
                     when m.role = 'viewer' then 'read' end
         from workspace_members m
         where m.workspace_id = s.workspace_id and m.user_id = $3) end as permission
    from agent_sessions s
    where s.id = any ($1::uuid[])
        and (select set_config('synchronous_commit', 'off', true)) = 'off'),
extended as materialized (
    select extend_beats(array(select b.id from beats b where b.extends and b.permission = 'control')))
select b.id, b.permission, b.status, b.epoch, b.live from extended cross join beats b
