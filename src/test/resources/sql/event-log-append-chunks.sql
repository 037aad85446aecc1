insert into chunks (position, workspace_id, chat_id, session_id, turn_id, from_char, text)
