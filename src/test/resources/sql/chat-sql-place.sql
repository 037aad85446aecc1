with place as materialized (
    select w.id as workspace_id, r.role, c.id as chat_id, c.on_busy
    from workspaces w
    left join workspace_members r on r.workspace_id = w.id and r.user_id = $3
    left join chats c on c.workspace_id = w.id and c.id = $2
    where w.id = $1),
old as materialized (
    select s.*, p.on_busy from place p
    join agent_sessions s on s.workspace_id = p.workspace_id and s.chat_id = p.chat_id and s.ended_at is null
    where $4::text[] is null or p.role = any ($4)
    for no key update of s),
