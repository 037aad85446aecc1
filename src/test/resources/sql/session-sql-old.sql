with old as (
    select s.* from agent_sessions s where s.id = $1 for no key update),
