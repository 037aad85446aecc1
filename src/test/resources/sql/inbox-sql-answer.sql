with entered as materialized (
    select w.id as workspace_id, r.role, c.id as chat_id, c.on_busy
    from workspaces w
    left join workspace_members r on r.workspace_id = w.id and r.user_id = $3
    left join chats c on c.workspace_id = w.id and c.id = $2
    where w.id = $1),
held as materialized (
    select s.*, e.on_busy from entered e
    join agent_sessions s on s.workspace_id = e.workspace_id and s.chat_id = e.chat_id and s.ended_at is null
    where $4::text[] is null or e.role = any ($4)
    for no key update of s),
place as materialized (
    select e.workspace_id, e.chat_id, e.on_busy,
           case when h.id is null then e.role else case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then e.role
    else role_now(e.workspace_id, $3) end end as role
    from entered e
    left join held h on true),
old as materialized (
    select h.* from held h
    cross join place p
    where $4::text[] is null or p.role = any ($4)),

asked as materialized (
    select q.id, q.turn_id from messages q
    join old o on q.chat_id = o.chat_id and q.turn_id = o.turn_id
    where q.kind = 'question' and q.state = 'open' and ($5::uuid is null or q.id = $5)
    for no key update of q),
answered as (
    update messages q set state = 'answered' from asked a where q.id = a.id),
s as (
    update agent_sessions s
    set mail = o.mail + 1, last_position = next_position(o.last_position, 0)
    from old o
    where s.id = o.id and exists (select from asked)
    returning s.*),
written as (
    insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, user_id, state, position,
        traceparent)
    select $7::uuid, s.workspace_id, s.chat_id, s.id, a.turn_id, 'answer', $6::text,
           jsonb_build_object('question_id', a.id), $3::uuid, 'new', s.last_position, $8::text
    from s
    cross join asked a),
recent as (
    update chats c set last_message_id = greatest(c.last_message_id, $7::uuid), updated_at = now()
    from s
    where c.id = s.chat_id),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position, s.workspace_id, s.chat_id, s.id, 'question_answered',
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'question_id', a.id,
               'answer', $6::text::jsonb, 'user_id', $3::uuid, 'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from s
    cross join asked a)
select p.role, p.chat_id is not null as found, a.id as question_id, s.server_id
from place p
left join asked a on true
left join s on true
