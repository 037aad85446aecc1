with found as materialized (
    select c.id as command_id, c.accepted_at, s.id, s.epoch as session_epoch, s.last_position
    from session_commands c
    join agent_sessions s on s.id = c.session_id
    where c.command in ('pause', 'resume', 'cancel', 'stop') and c.applied_at is null and s.ended_at is not null and $1::uuid is null
    and (c.accepted_at < now() - $3 * interval '1 millisecond'
        or exists (select from servers v where v.id = s.server_id
                       and (v.lost_at is not null or v.left_at is not null)))
    order by s.id, c.accepted_at, c.id
    limit $2
    for no key update of s),
ranked as (
    select f.*, dense_rank() over (order by f.id) - 1 as ordinal,
           row_number() over (partition by f.id order by f.accepted_at, f.command_id) - 1 as place
    from found f),
taken as (select * from ranked where place < 16),
carried as (
    update session_commands c set delivered_at = coalesce(c.delivered_at, clock_timestamp()), applied_at = clock_timestamp(), fenced = true, epoch = t.session_epoch + 1
    from taken t
    where c.id = t.command_id and c.applied_at is null
    returning c.*, next_position(t.last_position, t.ordinal) + t.place as position),
placed as (
    update agent_sessions s
    set last_position = n.position,
        open_commands = s.open_commands - 1 * n.commands,
        epoch = s.epoch + 1,
        version = s.version + 1
    from (select session_id, max(position) as position, count(*)::integer as commands
          from carried group by 1) n
    where s.id = n.session_id
    returning s.*),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select c.position, m.workspace_id, m.chat_id, m.id, 'agent_command', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
    'state', case when c.rejected_why is null then 'applied' else 'rejected' end,
    'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
    'applied_at', utc(c.applied_at), 'at', utc(c.applied_at), 'epoch', c.epoch, 'server_id', c.server_id,
    'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why), c.applied_at,
           m.ended_at is not null and m.open_commands = 0 and c.position = m.last_position
               and not exists (
                   select from agent_sessions x
                   where x.workspace_id = m.workspace_id and x.chat_id = m.chat_id and x.ended_at is null
                       -- this one may look live still: it has ended while its lock was waited for
                       and x.id <> m.id)
    from carried c
    join placed m on m.id = c.session_id
    where true)
select c.*, m.requires::text as requires, m.ended_at is not null as ended,
       case when c.turn_id is null or c.turn_id = m.turn_id then m.turn_id end as meant
from (select c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
c.applied_at, c.fenced, c.rejected_why, c.position, c.turn_id, c.traceparent from carried c) c
join placed m on m.id = c.session_id
order by c.session_id, c.accepted_at, c.id
