with found as materialized (
    (select m.id, m.session_id from messages m
     join agent_sessions s on s.id = m.session_id
     where m.state in ('new', 'waiting') and m.kind in ('user', 'answer') and s.ended_at is not null
     limit $1)
    union
    (select m.id, m.session_id from messages m
     join turns t on t.id = m.turn_id
     where m.state in ('new', 'waiting') and m.kind = 'answer' and t.ended_at is not null
     limit $1)),
held as materialized (
    select s.* from agent_sessions s
    where s.id in (select session_id from found)
    order by s.id
    for no key update of s skip locked),
dropped as (
    update messages m set state = 'dropped'
    from found f
    join held h on h.id = f.session_id
    where m.id = f.id and m.state in ('new', 'waiting')
    returning m.*),
placed as (
    select h.id as session_id, h.workspace_id, h.chat_id, d.id as message_id, d.kind,
           next_position(
               h.last_position + row_number() over (partition by h.id order by d.position),
               row_number() over (order by h.id, d.position) - 1) as place
    from dropped d
    join held h on h.id = d.session_id),
s as (
    update agent_sessions s set last_position = p.last, mail = greatest(0, s.mail - p.n)
    from (select session_id, max(place) as last, count(*)::integer as n from placed group by 1) p
    where s.id = p.session_id),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select p.place, p.workspace_id, p.chat_id, p.session_id, 'stopped',
           jsonb_build_object('session_id', p.session_id, 'chat_id', p.chat_id, 'turn_id', null,
               'message_id', p.message_id, 'reason', 'ended', 'partial_response', '',
               'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from placed p
    where p.kind = 'user')
select count(*) as n from dropped
