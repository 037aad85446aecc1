-- A process elsewhere that runs agents. It is given turns of sessions that are hosted outside.
create table agent_hosts (
    id            uuid primary key,
    user_id       uuid        not null,
    name          text        not null,
    -- which agents and models it serves; null for all
    agent_types   text[],
    models        text[],
    capacity      integer     not null check (capacity > 0),
    registered_at timestamptz not null default now(),
    seen_at       timestamptz not null default now()
) with (fillfactor = 50);
create index agent_hosts_of_user on agent_hosts (user_id, id);

alter table turns
    -- who runs it elsewhere, since when, and until when that needs no proof; an index on the time would make beats dear
    add column host_id        uuid,
    add column claimed_at     timestamptz,
    add column lease_until    timestamptz,
    -- people want it to end; those that run here get a command instead
    add column stop_requested boolean not null default false,
    -- of what hosts say each bit is durable: its length in UTF-16 units
    add column said_length    integer not null default 0,
    -- tokens that its host has told of, and that are not in the sums yet
    add column told_input     bigint  not null default 0,
    add column told_output    bigint  not null default 0;
create index turns_of_host on turns (host_id) where host_id is not null and ended_at is null;
create index turns_elsewhere on turns (id) where claimed_at is not null and ended_at is null;

-- How many more turns a host may have. Volatile, so that under the lock of its row it counts what is there now, not what
-- was there when the statement began: two requests of one host at once do not exceed its capacity.
create function host_room(host uuid) returns integer
    language plpgsql volatile
as $$
declare
    room integer;
begin
    update agent_hosts set seen_at = now() where id = host returning capacity into room;
    return room - (
        select count(*) from turns t
        where t.host_id = host and t.ended_at is null and t.state = 'running' and t.lease_until > now())::integer;
end
$$;
