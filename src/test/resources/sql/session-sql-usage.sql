select live_sessions, total_sessions from workspace_usage where workspace_id = $1
