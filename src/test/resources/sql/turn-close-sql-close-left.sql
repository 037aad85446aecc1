with due as materialized (
    select t.id, t.said, s.id as session_id, s.chat_id, s.workspace_id, s.agent_type, s.epoch, s.last_position
    from turns t
    join agent_sessions s on s.id = t.session_id
    where t.ended_at is null and s.ended_at < now() - interval '10 seconds' and s.open_commands = 0
        and t.state in ('running', 'parked', 'paused', 'waiting')
    limit $1
    for no key update of s skip locked),
closed as (
    update turns t set state = 'stopped', ended_at = clock_timestamp()
    from due d
    where t.id = d.id and t.ended_at is null
    returning t.id, t.ended_at),
o as materialized (
    select d.*, c.ended_at, next_position(d.last_position, row_number() over (order by d.id) - 1) as place
    from due d
    join closed c on c.id = d.id),
freed as (
    update agent_sessions s set turn_id = null, last_position = o.place from o where s.id = o.session_id),
withdrawn as (
    update messages q set state = 'withdrawn'
    from o
    where q.chat_id = o.chat_id and q.turn_id = o.id and q.kind = 'question' and q.state = 'open'),
kept as (
    insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
    select next_id(), o.workspace_id, o.chat_id, o.session_id, o.id, 'assistant', o.said,
           '{"partial": true, "reason": "ended"}', o.place
    from o
    where o.said <> ''),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select o.place, o.workspace_id, o.chat_id, o.session_id, 'stopped',
           jsonb_build_object('session_id', o.session_id, 'chat_id', o.chat_id, 'turn_id', o.id,
               'agent_type', o.agent_type, 'at', utc(o.ended_at), 'epoch', o.epoch, 'reason', 'ended',
               'partial_response', o.said),
           o.ended_at, false
    from o)
select count(*) as n from due
