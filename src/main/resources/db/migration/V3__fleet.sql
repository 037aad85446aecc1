-- A server as a member of the fleet. What it reports comes with its lease; state is what an operator wants of it.
-- A server that has been declared lost stays so: a process that was wrong about it joins again under another id.
alter table servers
    add column url         text,
    add column state       text             not null default 'active' check (state in ('active', 'cordoned', 'draining')),
    add column drain_until timestamptz,
    add column rebalance_at timestamptz,
    add column capacity    integer          not null default 1 check (capacity > 0),
    add column labels      jsonb            not null default '{}',
    -- counted by itself, then
    add column sessions    bigint           not null default 0,
    add column counted_at  timestamptz      not null default now(),
    add column load        double precision not null default 0,
    -- it holds its presence lock (see server_is_present): the end of its connection tells that it has died
    add column watched     boolean          not null default false,
    add column lost_at     timestamptz,
    add column lost_reason text;

-- The lock that a server's process holds in Postgres for as long as its connection lives.
create function presence_key(server uuid) returns integer
    language sql immutable
    return hashtext(server::text);

create function server_is_present(server uuid) returns boolean
    language sql volatile
    return exists (
        select from pg_locks l
        where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = 1936028260
            and l.objid = (presence_key(server)::bigint & 4294967295)::oid
            and l.database = (select oid from pg_database where datname = current_database()));

alter table agent_sessions
    -- the labels that a server must have to host the session
    add column requires      jsonb   not null default '{}',
    -- those of session_commands that its owner has not carried out
    add column open_commands integer not null default 0 check (open_commands >= 0);

-- What people told a hosted session to do, until its owner has done it, and when each of these was.
create table session_commands (
    id            uuid primary key,
    session_id    uuid        not null references agent_sessions on delete cascade,
    command       text        not null check (command in ('pause', 'resume', 'cancel', 'migrate')),
    -- the owner that it was accepted for or delivered to, and its epoch: at another epoch it is delivered anew
    server_id     uuid        not null,
    epoch         bigint      not null,
    target_id     uuid,
    accepted_at   timestamptz not null default clock_timestamp(),
    delivered_at  timestamptz,
    tried_at      timestamptz,
    applied_at    timestamptz,
    -- its owner did not do it in time, and lost the session
    fenced        boolean     not null default false,
    rejected_why  text
) with (fillfactor = 70);
create index session_commands_of_session on session_commands (session_id, accepted_at, id);
create index session_commands_open on session_commands (accepted_at) where applied_at is null;
create unique index session_commands_one_migration on session_commands (session_id)
    where applied_at is null and command = 'migrate';
create index session_commands_applied on session_commands (applied_at) where applied_at is not null;

-- A UUIDv7 (RFC 9562, section 5.7), for rows that are born in a statement on many.
create function next_id() returns uuid
    language sql volatile
    return encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid;
