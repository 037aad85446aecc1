with changed as (
    update servers v
    set state = $2::text,
        drain_until = case when $2 <> 'draining' then null
            when v.state = 'draining' then v.drain_until
            else now() + $3 * interval '1 millisecond' end
    where v.id = $1 and v.lost_at is null and v.left_at is null
    returning 1)
select exists (select from changed) as changed, exists (select from servers where id = $1) as known
