-- A chat: what people talk in. Its sessions come and go, one live at a time; its history stays.
create table chats (
    id              uuid primary key,
    workspace_id    uuid        not null references workspaces on delete cascade,
    user_id         uuid        not null,
    name            text,
    goal            text,
    agent_type      text        not null check (agent_type in ('assistant', 'planner', 'builder')),
    model           text        not null,
    mode            text        not null check (mode in ('chat', 'plan', 'build')),
    hosting         text        not null check (hosting in ('server', 'external')),
    on_busy         text        not null check (on_busy in ('enqueue', 'reject', 'interrupt')),
    -- a UUIDv7: chats are listed by it, those that were talked in last first
    last_message_id uuid        not null,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
) with (fillfactor = 85);
create index chats_recent on chats (workspace_id, last_message_id);

-- One turn of an agent: from the message that begins it until its answer is complete, stopped or failed.
create table turns (
    id            uuid primary key,
    session_id    uuid        not null references agent_sessions on delete cascade,
    chat_id       uuid        not null,
    workspace_id  uuid        not null,
    message_id    uuid        not null,
    -- parked: left at a safe point for the session's next owner; waiting: for an answer; paused: with its session
    state         text        not null
        check (state in ('running', 'parked', 'paused', 'waiting', 'done', 'stopped', 'failed')),
    -- whose it is: a running turn with another epoch than its session has lost its owner
    epoch         bigint      not null,
    attempt       integer     not null default 1,
    -- the answer as of the last durable point; chunks may know more of it
    said          text        not null default '',
    -- the number of what was last written of it: whoever repeats that is told that it is there
    last_seq      bigint,
    input_tokens  bigint      not null default 0,
    output_tokens bigint      not null default 0,
    worked_ms     bigint      not null default 0,
    started_at    timestamptz not null default clock_timestamp(),
    parked_at     timestamptz,
    ended_at      timestamptz
) with (fillfactor = 70);
create unique index turns_one_open_per_session on turns (session_id) where ended_at is null;
create index turns_of_session on turns (session_id, id);
create index turns_to_own on turns (id) where state in ('running', 'parked');

-- What was said in a chat, and the mailbox of its agent: what people write is new, then waiting if the agent is busy, and
-- taken by the turn that it begins.
create table messages (
    id           uuid primary key,
    workspace_id uuid        not null,
    chat_id      uuid        not null references chats on delete cascade,
    session_id   uuid        not null,
    turn_id      uuid,
    kind         text        not null
        check (kind in ('user', 'assistant', 'thought', 'call', 'observation', 'question', 'answer')),
    content      text        not null,
    data         jsonb       not null default '{}',
    user_id      uuid,
    state        text        check (state in ('new', 'waiting', 'taken', 'dropped', 'open', 'answered', 'withdrawn')),
    -- it goes before others that wait
    urgent       boolean     not null default false,
    -- the place in the log of the event that tells of it: the order of the history
    position     bigint      not null,
    at           timestamptz not null default clock_timestamp()
) with (fillfactor = 85);
create index messages_of_chat on messages (chat_id, position);
create index messages_new on messages (session_id) where state = 'new';
create index messages_to_take on messages (session_id, position) where state in ('new', 'waiting');
create index messages_open_questions on messages (workspace_id, id) where state = 'open';

-- What an agent is saying right now, for those who follow it: live only, gone soon after its turn or when Postgres crashes.
-- Positions are of the same order as those of events.
create unlogged table chunks (
    position     bigint primary key,
    workspace_id uuid    not null,
    chat_id      uuid    not null,
    session_id   uuid    not null,
    turn_id      uuid    not null,
    from_char    integer not null,
    text         text    not null,
    at           timestamptz not null default now()
);
create index chunks_of_chat on chunks (chat_id);
create index chunks_of_workspace on chunks (workspace_id);

-- The newest event below the horizon: where a stream stands that has all there is. Not the horizon itself: it may follow
-- from transactions that a crash of Postgres undoes, and their ids, and so positions, are given again. Whoever sees an
-- event knows that it, and all ids before, have come to stay.
create function events_newest() returns bigint
    language sql stable
    return greatest(
        (select max(position) from events where position < events_horizon()),
        (select up_to from events_pruned));

alter table agent_sessions
    -- the turn that is not over, and how many messages wait to be taken: read under the row's lock, they are never stale
    add column turn_id       uuid,
    add column mail          integer not null default 0 check (mail >= 0),
    -- since when a running session has made no progress for too long
    add column stalled_at    timestamptz,
    -- what it has used, and what it may
    add column turns         integer not null default 0,
    add column input_tokens  bigint  not null default 0,
    add column output_tokens bigint  not null default 0,
    add column worked_ms     bigint  not null default 0,
    add column max_turns     integer,
    add column max_tokens    bigint,
    add column max_seconds   bigint;

-- Which limit is reached, in words; null if none is.
create function budget_reached(
    turns integer, tokens bigint, worked_ms bigint, max_turns integer, max_tokens bigint, max_seconds bigint) returns text
    language sql immutable
    return case
        when turns >= max_turns then format('budget: %s of %s turns are used', turns, max_turns)
        when tokens >= max_tokens then format('budget: %s of %s tokens are used', tokens, max_tokens)
        when worked_ms >= max_seconds * 1000
            then format('budget: %s of %s seconds are used', worked_ms / 1000, max_seconds) end;

-- What a workspace's agents have used. Apart from workspace_usage: one statement may write both.
create table workspace_spending (
    workspace_id  uuid primary key references workspaces on delete cascade,
    turns         bigint not null default 0,
    input_tokens  bigint not null default 0,
    output_tokens bigint not null default 0,
    worked_ms     bigint not null default 0
) with (fillfactor = 50);

alter table session_commands
    -- the turn that a stop means, and no later one
    add column turn_id uuid,
    drop constraint session_commands_command_check,
    add constraint session_commands_command_check
        check (command in ('pause', 'resume', 'cancel', 'stop', 'migrate'));
