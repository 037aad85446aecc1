-- Workspaces, their members and what they may use.
create table workspaces (
    id                uuid primary key,
    name              text        not null,
    created_by        uuid        not null,
    max_live_sessions integer     not null check (max_live_sessions >= 0),
    version           integer     not null default 1,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now()
);

create table workspace_members (
    workspace_id uuid        not null references workspaces on delete cascade,
    user_id      uuid        not null,
    role         text        not null check (role in ('owner', 'admin', 'member', 'viewer')),
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    primary key (workspace_id, user_id)
);
create index workspace_members_of_user on workspace_members (user_id, workspace_id);

-- One lease row for each server of this service; database time decides.
create table servers (
    id         uuid primary key,
    hostname   text        not null,
    version    text        not null,
    started_at timestamptz not null default now(),
    renewed_at timestamptz not null default now(),
    left_at    timestamptz
) with (fillfactor = 50);

-- The registry. No index and no index predicate names status: transitions stay HOT.
create table agent_sessions (
    id               uuid primary key,
    workspace_id     uuid        not null references workspaces on delete cascade,
    chat_id          uuid        not null,
    user_id          uuid        not null,
    agent_type       text        not null check (agent_type in ('assistant', 'planner', 'builder')),
    status           text        not null
        check (status in ('idle', 'running', 'paused', 'completed', 'cancelled', 'error')),
    model            text        not null,
    mode             text        not null check (mode in ('chat', 'plan', 'build')),
    chat_name        text,
    current_task     text,
    blocked_on       text,
    labels           jsonb       not null default '{}',
    error_message    text,
    result           jsonb,
    hosting          text        not null check (hosting in ('server', 'external')),
    server_id        uuid,
    server_hostname  text,
    epoch            bigint      not null default 1,
    version          bigint      not null default 1,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    last_progress_at timestamptz,
    ended_at         timestamptz,
    -- set when the session ends; while it lives, its server's lease and session_heartbeats tell
    last_heartbeat   timestamptz,
    pause_id         uuid,
    pause_reason     text,
    pause_by         uuid,
    pause_at         timestamptz,
    pause_expires_at timestamptz,
    paused_from      text,
    resumed_pause_id uuid,
    -- the newest position in the log that this session has used
    last_position    bigint      not null default 0,
    constraint ended_iff_terminal check ((ended_at is not null) = (status in ('completed', 'cancelled', 'error'))),
    constraint paused_iff_pause check ((pause_id is not null) = (status = 'paused'))
) with (fillfactor = 85);
create unique index agent_sessions_one_live_per_chat on agent_sessions (workspace_id, chat_id) where ended_at is null;
create index agent_sessions_live on agent_sessions (workspace_id, id) where ended_at is null;
create index agent_sessions_all on agent_sessions (workspace_id, id);
create index agent_sessions_of_chat on agent_sessions (chat_id, id);
create index agent_sessions_of_server on agent_sessions (server_id, id) where ended_at is null and server_id is not null;
create index agent_sessions_ended on agent_sessions (ended_at) where ended_at is not null;
create index agent_sessions_pause_expiry on agent_sessions (pause_expires_at) where pause_expires_at is not null;

-- The counters behind the quota and the lists' totals: kept by each statement that creates, ends or removes a
-- session, so that none of them ever counts rows. Apart from workspaces, so that an update stays small and HOT. Made
-- after the sessions: a deletion cascades in this order, and locks as those do who end a session (it, then its counters).
create table workspace_usage (
    workspace_id   uuid primary key references workspaces on delete cascade,
    live_sessions  integer not null default 0,
    total_sessions bigint  not null default 0
) with (fillfactor = 50);

-- Beats of sessions hosted outside. Narrow, half empty and without an index on the time: every beat is a HOT update.
create table session_heartbeats (
    session_id uuid primary key references agent_sessions on delete cascade,
    beat_at    timestamptz not null default now()
) with (fillfactor = 50);

-- The durable log. Positions follow commit order: see next_position and events_horizon.
create table events (
    position     bigint primary key,
    workspace_id uuid        not null,
    chat_id      uuid,
    session_id   uuid,
    type         text        not null,
    data         jsonb       not null,
    at           timestamptz not null,
    ends_session boolean     not null default false
);
create index events_of_workspace on events (workspace_id, position);
create index events_of_chat on events (chat_id, position);

-- What retention has removed: nothing at or below this position is held any more.
create table events_pruned (
    only_row boolean primary key default true check (only_row),
    up_to    bigint not null default 0
);
insert into events_pruned default values;

-- The position of a session's next event: the transaction's id shifted by 16 bits, 16 places an event, so that one
-- transaction has room for 4,096. A transaction may have got its id before another that changed the same session
-- first; then it takes the place after that one's, which is still below the horizon whenever both are done.
create function next_position(last bigint, ordinal bigint) returns bigint
    language sql volatile
    return greatest((pg_current_xact_id()::text::bigint << 16) + 16 * ordinal, last + 1);

-- Every position below this one belongs to a transaction that has ended.
create function events_horizon() returns bigint
    language sql stable
    return pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 16;

-- ISO 8601, UTC, microseconds.
create function utc(at timestamptz) returns text
    language sql immutable
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The first answer to each Idempotency-Key.
create table idempotency_keys (
    user_id     uuid        not null,
    key         text        not null,
    fingerprint bytea       not null,
    status      smallint    not null,
    headers     jsonb       not null,
    body        text        not null,
    created_at  timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- Short-lived stand-ins for a bearer token, for EventSource, which sends no headers.
create table stream_tokens (
    token_hash        bytea primary key,
    user_id           uuid        not null,
    groups            text[]      not null,
    caller_expires_at timestamptz not null,
    path              text        not null,
    expires_at        timestamptz not null
);
create index stream_tokens_expiry on stream_tokens (expires_at);

-- Who swept last: one server claims each run, and an operator sees how far behind the sweeps are.
create table sweeps (
    name        text primary key,
    started_at  timestamptz not null,
    finished_at timestamptz
);
