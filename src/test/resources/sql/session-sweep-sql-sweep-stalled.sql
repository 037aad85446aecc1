with piece as materialized (
    select a.workspace_id, a.id, a.status = 'running' and a.stalled_at is null
               and a.hosting in ('server', 'external')
               and greatest(a.last_progress_at, a.updated_at) < now() - $1 * interval '1 millisecond' as due
    from agent_sessions a
    where a.ended_at is null and (a.workspace_id, a.id) > ($2::uuid, $3::uuid)
    order by a.workspace_id, a.id
    limit 500),
due as (
    select l.*, row_number() over (order by l.id) - 1 as ordinal
    from piece
    cross join lateral (
        select a.*, greatest(a.last_progress_at, a.updated_at) as since from agent_sessions a
        where a.id = piece.id and a.status = 'running' and a.stalled_at is null
            and greatest(a.last_progress_at, a.updated_at) < now() - $1 * interval '1 millisecond'
        for no key update skip locked) l
    where piece.due),
moved as (
    update agent_sessions s
    set stalled_at = clock_timestamp(), last_position = next_position(d.last_position, d.ordinal)
    from due d
    where s.id = d.id
    returning s.*, d.since),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_stalled',
           jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
               'since', utc(m.since), 'at', utc(m.stalled_at), 'epoch', m.epoch),
           m.stalled_at, false
    from moved m)
select (select count(*) from moved) as n, next.workspace_id, next.id
from (select) one
left join (select workspace_id, id from piece order by 1, 2 offset 500 - 1) next on true
