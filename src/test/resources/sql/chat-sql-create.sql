with rested as (
    -- its session is at rest: nobody beats for it
    delete from session_heartbeats h using agent_sessions s
    where s.chat_id = $1 and s.workspace_id = $2 and h.session_id = s.id)
insert into chats as c (id, workspace_id, user_id, name, goal, agent_type, model, mode, hosting, on_busy,
    last_message_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $1)
returning c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
c.created_at, c.updated_at
