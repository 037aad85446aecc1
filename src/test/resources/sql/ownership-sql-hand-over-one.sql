with fit as materialized (
    select v.id, v.hostname, v.labels from servers v
    where v.id = any ($2::uuid[]) and v.state = 'active' and v.lost_at is null and v.left_at is null
        and v.renewed_at > now() - $4 * interval '1 millisecond'),
held as materialized (
    select s.*,
           coalesce($5::text, v.lost_reason, case when v.left_at is null then 'drain' else 'left' end) as why,
           case when v.lost_at is null and v.left_at is null then 'agent_migrated' else 'agent_recovered'
               end as event,
           v.renewed_at
    from (
    select a.* from agent_sessions a
    where a.id = any ($1::uuid[]) and a.ended_at is null and a.server_id = $6 and case when a.hosting = 'server' and a.status in ('idle', 'running', 'paused') then true else false end
    for no key update) s
left join servers v on v.id = s.server_id),
asked as materialized (
    select c.id, c.session_id from session_commands c
    join held h on h.id = c.session_id
    where c.id = $7 and c.applied_at is null
    for no key update of c),
numbered as (
    select h.*, row_number() over (order by h.id) - 1 as ordinal from held h),
o as (
    select n.*, t.id as to_id, t.hostname as to_hostname
    from numbered n
    join asked on asked.session_id = n.id
    cross join lateral (
        select f.id, f.hostname from fit f
        where f.labels @> n.requires and f.id is distinct from n.server_id
        order by f.id = ($3::uuid[])[1 + n.ordinal % cardinality($3::uuid[])] desc, f.id
        limit 1) t),
moved as (
    update agent_sessions s
    set server_id = o.to_id,
        server_hostname = o.to_hostname,
        epoch = o.epoch + 1,
        version = o.version + 1,
        open_commands = o.open_commands - 1,
        last_position = next_position(o.last_position, o.ordinal) + 1
    from o
    where s.id = o.id
    returning s.*, o.server_id as from_id, o.server_hostname as from_hostname, o.why, o.event, o.renewed_at),
settled as (
    update session_commands c
    set delivered_at = coalesce(c.delivered_at, clock_timestamp()), applied_at = clock_timestamp(),
        server_id = m.server_id, epoch = m.epoch
    from asked a
    join moved m on m.id = a.session_id
    where c.id = a.id
    returning c.*),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position - 1, m.workspace_id, m.chat_id, m.id, m.event,
           jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
               'status', m.status, 'from_server_id', m.from_id, 'from_server_hostname', m.from_hostname,
               'server_id', m.server_id, 'server_hostname', m.server_hostname, 'reason', m.why,
               'at', utc(clock_timestamp()), 'epoch', m.epoch, 'version', m.version),
           clock_timestamp(), false
    from moved m
    union all
    select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'applied' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.applied_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.applied_at, false
    from settled c
    join moved m on m.id = c.session_id)
select m.server_id, count(*) as n,
       (extract(epoch from max(clock_timestamp() - m.renewed_at)) * 1000)::bigint as silent
from moved m
group by m.server_id
