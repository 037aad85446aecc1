select c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
c.applied_at, c.fenced, c.rejected_why from session_commands c where c.session_id = $1 and c.id = $2
