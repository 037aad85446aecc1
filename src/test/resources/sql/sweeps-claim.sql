with claimed as (
    insert into sweeps (name, started_at, finished_at) values ($1, now(), now())
    on conflict (name) do update set started_at = excluded.started_at
    where sweeps.started_at <= now() - $2 * interval '1 millisecond'
    returning name)
select exists (select from claimed) as mine,
       (select (extract(epoch from now() - finished_at) * 1000)::bigint from sweeps where name = $1) as age
