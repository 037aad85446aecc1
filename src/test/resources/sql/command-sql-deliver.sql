with found as materialized (
    select c.id as command_id, c.accepted_at, s.id, s.epoch as session_epoch, s.last_position
    from session_commands c
    join agent_sessions s on s.id = c.session_id
    where s.server_id = $1::uuid and c.applied_at is null
    and c.command in ('pause', 'resume', 'cancel', 'stop', 'migrate')
    and (c.delivered_at is null or c.epoch <> s.epoch
        or c.tried_at < now() - $3 * interval '1 millisecond')
    order by s.id, c.accepted_at, c.id
    limit $2
    for no key update of s),
ranked as (
    select f.*, dense_rank() over (order by f.id) - 1 as ordinal,
           row_number() over (partition by f.id order by f.accepted_at, f.command_id) - 1 as place
    from found f),
taken as (select * from ranked where place < 16),
carried as (
    update session_commands c set server_id = $1::uuid, epoch = t.session_epoch, tried_at = clock_timestamp(),
    delivered_at = case when c.epoch = t.session_epoch then coalesce(c.delivered_at, clock_timestamp())
        else clock_timestamp() end
    from taken t
    where c.id = t.command_id and c.applied_at is null
    and (c.delivered_at is null or c.epoch <> t.session_epoch
        or c.tried_at < now() - $3 * interval '1 millisecond')
    returning c.*, next_position(t.last_position, t.ordinal) + t.place as position),
placed as (
    update agent_sessions s
    set last_position = n.position,
        open_commands = s.open_commands - 0 * n.commands,
        epoch = s.epoch + 0,
        version = s.version + 0
    from (select session_id, max(position) as position, count(*)::integer as commands
          from carried group by 1) n
    where s.id = n.session_id
    returning s.*),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select c.position, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'delivered' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.delivered_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.delivered_at,
           m.ended_at is not null and m.open_commands = 0 and c.position = m.last_position
               and not exists (
                   select from agent_sessions x
                   where x.workspace_id = m.workspace_id and x.chat_id = m.chat_id and x.ended_at is null
                       -- this one may look live still: it has ended while its lock was waited for
                       and x.id <> m.id)
    from carried c
    join placed m on m.id = c.session_id
    where c.delivered_at >= now())
select c.*, m.requires::text as requires, m.ended_at is not null as ended,
       case when c.turn_id is null or c.turn_id = m.turn_id then m.turn_id end as meant
from (select c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
c.applied_at, c.fenced, c.rejected_why, c.position, c.turn_id, c.traceparent from carried c) c
join placed m on m.id = c.session_id
order by c.session_id, c.accepted_at, c.id
