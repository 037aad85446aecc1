with removed as (
    delete from session_commands where id = any (array(
        select id from session_commands where applied_at < now() - $1 * interval '1 millisecond'
        order by applied_at limit 500 for update skip locked))
    returning 1)
select count(*) as n from removed
