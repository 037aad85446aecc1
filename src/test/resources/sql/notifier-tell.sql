select pg_notify('agent_events', $1)
