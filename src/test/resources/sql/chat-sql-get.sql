select c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
c.created_at, c.updated_at, (select s.id from agent_sessions s
            where s.chat_id = c.id and s.workspace_id = c.workspace_id
            order by (s.ended_at is null) desc, s.id desc
            limit 1) as session_id
from chats c
where c.workspace_id = $1 and c.id = $2
