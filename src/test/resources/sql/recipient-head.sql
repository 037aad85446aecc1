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
