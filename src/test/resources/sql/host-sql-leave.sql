delete from agent_hosts where id = $1
