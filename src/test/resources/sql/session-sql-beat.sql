with beats as materialized (
    select s.id, s.status, s.epoch,
           s.ended_at is null
               and (s.id, s.epoch) in (select * from unnest($1::uuid[], $2::bigint[])) as lives,
           case when $3::uuid is null then 'control'
     when s.user_id = $3 then (
         select case m.role when 'viewer' then 'read' else 'control' end from workspace_members m
         where m.workspace_id = s.workspace_id and m.user_id = $3) end as permission
    from agent_sessions s
    where s.id = any ($1::uuid[])
        and (select set_config('synchronous_commit', 'off', true)) = 'off'),
extended as materialized (
    select extend_beats(array(select b.id from beats b where b.lives and b.permission = 'control')))
select b.id, b.permission, b.status, b.epoch from extended cross join beats b
