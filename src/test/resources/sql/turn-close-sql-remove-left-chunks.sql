with removed as (
    delete from chunks where position in (
        select c.position from chunks c
        where c.at < now() - interval '1 minute'
            and not exists (select from turns t where t.id = c.turn_id and t.ended_at is null)
        order by c.position
        limit $1)
    returning 1)
select count(*) as n from removed
