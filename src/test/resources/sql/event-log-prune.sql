with pruned as (
    delete from events where position in (
        select e.position
        from (select position, at from events
              where position < events_horizon()
              order by position limit $2) e
        where e.at < now() - $1 * interval '1 millisecond')
    returning position),
marked as (
    update events_pruned set up_to = greatest(up_to, (select max(position) from pruned))
    where exists (select from pruned))
select count(*) as n from pruned
