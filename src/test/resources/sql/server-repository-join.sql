insert into servers (id, hostname, url, version, capacity, labels, state, drain_until)
values ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text,
    case when $7 = 'draining' then now() + $8 * interval '1 millisecond' end)
on conflict (id) do update set renewed_at = now() where servers.lost_at is null
returning id
