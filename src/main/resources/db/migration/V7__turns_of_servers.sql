-- Each server looks for turns that it should run, every other second: along this it reads its own, not those of the fleet.
-- The server is the session's, always. (turns_to_own stays for servers of the version before, which read along that.)
alter table turns
    add column server_id uuid;
update turns t set server_id = s.server_id from agent_sessions s where s.id = t.session_id and t.ended_at is null;
create index turns_of_server on turns (server_id) where state in ('running', 'parked');

create function turn_follows_session() returns trigger
    language plpgsql
as $$
begin
    update turns set server_id = new.server_id where id = new.turn_id;
    return null;
end
$$;
create trigger turn_follows_session after update of server_id on agent_sessions
    for each row when (new.turn_id is not null and new.server_id is distinct from old.server_id)
    execute function turn_follows_session();
