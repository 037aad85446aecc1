with host as (
    update agent_hosts set seen_at = now() where id = $1),
given as materialized (
    select * from unnest($2::uuid[], $3::bigint[]) with ordinality as g (turn_id, epoch, n)),
held as materialized (
    select t.id, t.session_id from turns t
    join given g on g.turn_id = t.id and g.epoch = t.epoch
    join agent_sessions s on s.id = t.session_id and s.epoch = t.epoch
    where t.host_id = $1 and t.state = 'running' and not t.stop_requested and s.status = 'running'
        and ($5::uuid is null or exists (
        select from workspace_members w
        where w.workspace_id = t.workspace_id and w.user_id = $5 and w.role in ('owner', 'admin', 'member')))
    order by t.id
    for no key update of t),
extended as (
    update turns t
    set lease_until = now() + $4 * interval '1 millisecond', begun_at = coalesce(t.begun_at, now())
    from held h
    where t.id = h.id),
beating as materialized (
    select extend_beats(array(select session_id from held)))
select g.turn_id, h.id is not null as extended, t.host_id = $1 and t.epoch = g.epoch as known,
       t.state, t.stop_requested, s.status, s.epoch,
       greatest(0, extract(epoch from t.lease_until - now()))::bigint as seconds_left
from given g
cross join beating
left join turns t on t.id = g.turn_id and ($5::uuid is null or exists (
        select from workspace_members w
        where w.workspace_id = t.workspace_id and w.user_id = $5 and w.role in ('owner', 'admin', 'member')))
left join agent_sessions s on s.id = t.session_id
left join held h on h.id = t.id
order by g.n
