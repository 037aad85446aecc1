insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
