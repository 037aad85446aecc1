select v.id, v.hostname, v.url,
       case when v.lost_at is null and v.left_at is null then v.state else 'gone' end as state,
       v.started_at, v.renewed_at, coalesce(v.left_at, v.lost_at) as gone_at,
       case when v.left_at is not null then 'left' else v.lost_reason end as gone_reason,
       v.capacity, v.labels::text as labels, v.sessions, v.load, v.version,
       (extract(epoch from now() - v.counted_at) * 1000)::bigint as counted,
       (extract(epoch from now() - v.renewed_at) * 1000)::bigint as silent,
       -- right after a restart of Postgres nobody holds a lock yet
       v.watched and p.objid is null and pg_postmaster_start_time() < now() - interval '5 seconds' as vanished,
       (v.lost_at is not null or v.left_at is not null) and exists (
           select from agent_sessions s
           where s.server_id = v.id and s.ended_at is null
               and s.hosting = 'server' and s.status in ('idle', 'running', 'paused')) as holds,
       v.state = 'draining' and v.drain_until < now() as overdue,
       v.rebalance_at
from servers v
left join (
    select distinct l.objid from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = 1936028260
        and l.database = (select oid from pg_database where datname = current_database())) p
    on p.objid = (presence_key(v.id)::bigint & 4294967295)::oid
where v.id = $1
