with removed as (
    delete from agent_sessions where id = any (array(
        select id from agent_sessions where ended_at < now() - $1 * interval '1 millisecond'
            and status in ('completed', 'cancelled', 'error')
        order by ended_at limit 500 for update skip locked))
    returning workspace_id),
counted as (
    update workspace_usage u set total_sessions = u.total_sessions - r.n
    from (select workspace_id, count(*) as n from removed group by 1 order by 1) r
    where u.workspace_id = r.workspace_id)
select count(*) as n from removed
