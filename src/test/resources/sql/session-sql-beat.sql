with beats as materialized (
    select s.id, s.user_id, s.status, s.epoch, s.ended_at is null as live,
           s.ended_at is null
               and ($3::uuid is null or s.user_id = $3)
               and (s.id, s.epoch) in (select * from unnest($1::uuid[], $2::bigint[])) as extends
    from agent_sessions s
    where s.id = any ($1::uuid[])
        and (select set_config('synchronous_commit', 'off', true)) = 'off'),
extended as materialized (
    select extend_beats(array(select b.id from beats b where b.extends)))
select b.id, b.user_id, b.status, b.epoch, b.live from extended cross join beats b
