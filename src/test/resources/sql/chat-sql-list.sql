select c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
c.created_at, c.updated_at, c.last_message_id from chats c
where c.workspace_id = $1 and ($2::uuid is null or c.last_message_id < $2)
order by c.last_message_id desc
limit $3
