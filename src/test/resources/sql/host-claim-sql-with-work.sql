select h.id from unnest($1::uuid[], $2::boolean[]) as a (id, everywhere)
join agent_hosts h on h.id = a.id
where h.capacity > (select count(*) from turns t
 where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now())
    and (exists (
            select from messages m
            join agent_sessions s on s.id = m.session_id
            where m.state in ('new', 'waiting') and (m.kind = 'user' or m.kind = 'answer' and m.turn_id = s.turn_id) and s.hosting = 'external' and s.ended_at is null
    and (h.agent_types is null or s.agent_type = any (h.agent_types))
    and (h.models is null or s.model = any (h.models))
    and (a.everywhere or exists (
        select from workspace_members w
        where w.workspace_id = s.workspace_id and w.user_id = h.user_id and w.role in ('owner', 'admin', 'member'))) and s.hosting = 'external' and s.status in ('idle', 'running')
    and (s.turn_id is null or exists (
        select from turns w where w.id = s.turn_id and w.state = 'waiting' and w.epoch = s.epoch)))
        or exists (
            select from turns t
            join agent_sessions s on s.id = t.session_id
            where s.turn_id = t.id and t.claimed_at is not null and t.ended_at is null and not t.stop_requested
    and (t.state = 'paused' and s.status in ('idle', 'running')
        or t.state = 'parked' and s.status = 'running'
        or t.state = 'running' and t.lease_until <= now() and s.status = 'running' and not (t.state = 'running' and t.begun_at is not null and t.attempt >= $3)) and s.hosting = 'external' and s.ended_at is null
    and (h.agent_types is null or s.agent_type = any (h.agent_types))
    and (h.models is null or s.model = any (h.models))
    and (a.everywhere or exists (
        select from workspace_members w
        where w.workspace_id = s.workspace_id and w.user_id = h.user_id and w.role in ('owner', 'admin', 'member')))))
