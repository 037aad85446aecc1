package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements on sessions. Each change is one statement: it locks the row, changes it, keeps the counters and appends
 * its events; the row's lock is taken before the event's position is, so that positions follow the order of changes.
 */
final class SessionSql {
    private SessionSql() {}

    /** What a {@link SessionView} is read from; {@code s} the session, {@code v} its server, {@code h} its own beat. */
    static final String VIEW = """
            s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
            s.current_task, s.error_message, s.result::text, s.created_at, s.updated_at,
            coalesce(s.last_heartbeat, greatest(s.created_at, h.beat_at, v.renewed_at)) as last_heartbeat,
            s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
            s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
            s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
            s.max_seconds""";

    static final String LIVENESS = """
            left join servers v on v.id = s.server_id
            left join session_heartbeats h on h.session_id = s.id
            """;

    /** The same of one session, without joins: nothing is looked up that is not needed. */
    static final String ONE = VIEW.replace("greatest(s.created_at, h.beat_at, v.renewed_at)", """
            greatest(s.created_at, case s.hosting
                when 'server' then (select v.renewed_at from servers v where v.id = s.server_id)
                else (select h.beat_at from session_heartbeats h where h.session_id = s.id) end)""");

    /** With what the caller may do with it as its owner. $1 id, $2 caller (null: one who may everything). */
    static final String GET = "select " + ONE + ", " + Permission.sqlOfOwner("$2")
            + " as permission\nfrom agent_sessions s where s.id = $1";

    /** What somebody may do with it who does not own it. $1 id, $2 caller. */
    static final String PERMISSION =
            "select " + Permission.sql("$2") + " as permission\nfrom agent_sessions s where s.id = $1";

    /**
     * A session's events, of none that the caller may not read; read with the permission, so that nothing is seen that came
     * after the caller was removed. $1 id, $2 caller, $3 after this position, $4 how many.
     */
    static final String HISTORY = Seen.HEAD + EventLog.HISTORY + Seen.TAIL + "\norder by e.position";

    /** The changed row if there is one, else the row as it is; with what a judge needs to know of how it was. */
    private static final String OUTCOME = """
            select %1$s,
                   s.applied, old.status as old_status, old.version as old_version, old.pause_id as old_pause_id,
                   old.resumed_pause_id as old_resumed_pause_id, old.epoch as old_epoch{command}
            from (select %2$s, true as applied from moved
                  union all
                  select %2$s, false from old where not exists (select from moved)) s
            cross join old
            """.formatted(ONE, columns());

    private static final String OLD = """
            with old as (
                select s.* from agent_sessions s where s.id = $1 for no key update),
            """;

    /** What there is to do in the chat that the session {@code row} lives in; null if it is no chat's. */
    private static String work(String row) {
        return """
            case when (select c.id from chats c where c.id = %1$s.chat_id and c.workspace_id = %1$s.workspace_id) is not null
                    then chat_work(%1$s.id) end""".formatted(row);
    }

    /**
     * Where a session goes that is {@code wanted} to go on: a chat's runs only with a turn. Where its owner is a server of
     * this service, that begins it at once; a turn for hosts elsewhere waits until one takes it.
     */
    private static final String GOING_ON = """
            case when %1$s.wanted <> 'running' or %1$s.work is null or %1$s.work = 'held' then %1$s.wanted
                        when %1$s.work = 'none' or %1$s.hosting = 'external' then 'idle'
                        else 'running' end""";

    /** Whether a row of {@link #GO_ON} is a chat's session that is started: its owner begins its turn. */
    private static final String STARTS = "o.status = 'idle' and o.next = 'running' and o.work is not null";

    /** What a session gets from a command, beside its next state. */
    private static final String ASKED = """
            $6::text as task, $7::text as message,
                       $8::text::jsonb as outcome, $11::uuid as new_pause_id, $12::bigint as pause_seconds,
                       $13::uuid as actor""";

    /** Whether the command fits the session {@code o}, whoever asks. */
    private static final String FITS = """
            o.status = any ($3::text[])
                    and ($9::bigint[] is null or o.version = any ($9))
                    and ($10::uuid is null or o.pause_id = $10)""";

    /**
     * Carries out a command to go on. $1 id, $2 caller (null: one who may everything), $3 the states it may come from, $4 the
     * state it leads to (null: resume), $5 reason, $6 task, $7 error message, $8 result, $9 the versions one of which it
     * expects, $10 the pause it means, $11 the new pause's id, $12 seconds until that expires, $13 who it is by, $14 the trace
     * that its command goes on with (null: none).
     */
    static final String GO_ON = OLD
            + """
            asked as materialized (
                select old.*, w.wanted, case when w.wanted = 'running' then %s end as work
                from old
                cross join lateral (
                    select coalesce($4::text, case when $6::text is null and old.paused_from is distinct from 'running'
                               then 'idle' else 'running' end) as wanted) w),
            o as (
                select o.*, n.next, coalesce($5::text, $7::text, case
                           when o.wanted <> n.next then case o.work when 'none' then 'nothing to do' else 'waits for a host' end
                           end) as why,
                       %s, false as ends, 0 as ordinal
                from asked o
                cross join lateral (select %s as next) n
                where %s
                    and o.status <> n.next
                    and not coalesce($4::text = 'running' and o.work = 'none', false)
                    and %s),
            """.formatted(work("old"), ASKED, GOING_ON.formatted("o"), FITS, Permission.controlled("$2"))
            + SessionTransition.requestedToGoOn("$14::text", STARTS)
            + outcome("(select a.work from asked a)");

    /** Carries out a command to rest, with the parameters of {@link #GO_ON}. */
    static final String REST = OLD
            + straight("false", Permission.controlled("$2"))
            + SessionTransition.requested("$14::text")
            + outcome("null::text");

    /** Carries out a command to end, with the parameters of {@link #GO_ON}. */
    static final String END = OLD
            + straight(
                    "true",
                    "(" + Permission.controlled("$2") + " or $4::text = 'cancelled' and " + Permission.ended("$2")
                            + ")")
            + SessionTransition.requestedToEnd("$14::text")
            + outcome("null::text");

    /** What a command does to a session that leads to the state $4, whatever there is to do in it. */
    private static String straight(String ends, String permitted) {
        return """
            o as (
                select o.*, $4::text as next, coalesce($5::text, $7::text) as why,
                       %s, %s as ends, 0 as ordinal
                from old o
                where %s
                    and o.status <> $4
                    and %s),
            """.formatted(ASKED, ends, FITS, permitted);
    }

    /** What became of a command. */
    private static String outcome(String work) {
        return OUTCOME.replace("{command}", ", " + CommandSql.VIEW + ",\n       " + work + " as work")
                + CommandSql.NEWEST;
    }

    /** The statement that carries out a command. */
    static String transition(SessionCommand command) {
        return switch (command) {
            case START, RESUME -> GO_ON;
            case YIELD, PAUSE -> REST;
            case COMPLETE, FAIL, CANCEL -> END;
        };
    }

    /**
     * Changes what is not the state, and beats at once where that is asked. $1 id, $2 caller (null: one who may
     * everything), $3 the versions one of which it expects, $4 whether the task is given, $5 task, $6 model, $7 mode, $8
     * agent type, $9 labels, $10 whether blocked_on is given, $11 blocked_on, $12 whether progress was made, $13 the epoch
     * it names (null: any), $14 whether it is a heartbeat, $15 whether a budget is given, $16 to $18 its turns, tokens,
     * seconds.
     */
    static final String CHANGE = OLD
            + """
            moved as (
                update agent_sessions s
                set version = o.version + 1,
                    updated_at = clock_timestamp(),
                    current_task = case when $4::boolean then $5::text else o.current_task end,
                    model = coalesce($6::text, o.model),
                    mode = coalesce($7::text, o.mode),
                    agent_type = coalesce($8::text, o.agent_type),
                    labels = coalesce($9::text::jsonb, o.labels),
                    blocked_on = case when $10::boolean then $11::text else o.blocked_on end,
                    last_progress_at = case when $12::boolean then clock_timestamp() else o.last_progress_at end,
                    stalled_at = case when $12::boolean then null else o.stalled_at end,
                    max_turns = case when $15::boolean then $16::integer else o.max_turns end,
                    max_tokens = case when $15::boolean then $17::bigint else o.max_tokens end,
                    max_seconds = case when $15::boolean then $18::bigint else o.max_seconds end,
                    last_position = next_position(o.last_position, 0) + 1
                from old o
                where s.id = o.id
                    and o.ended_at is null
                    and %s
                    and ($3::bigint[] is null or o.version = any ($3))
                    and ($13::bigint is null or o.epoch = $13)
                returning s.*, o.current_task as previous_task),
            beat as (
                update session_heartbeats h set beat_at = now() from moved m where $14::boolean and h.session_id = m.id),
            logged as (
                %s
                select m.last_position - 1, m.workspace_id, m.chat_id, m.id, 'agent_updated',
                       jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                           'model', m.model, 'mode', m.mode, 'labels', m.labels, 'blocked_on', m.blocked_on,
                           'budget', jsonb_build_object('max_turns', m.max_turns, 'max_tokens', m.max_tokens,
                               'max_seconds', m.max_seconds), 'at', utc(m.updated_at), 'version', m.version),
                       m.updated_at, false
                from moved m
                where $6::text is not null or $7::text is not null or $8::text is not null or $9::text is not null
                    or $10::boolean or $15::boolean
                union all
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_task', %s, m.updated_at, false
                from moved m
                where m.current_task is distinct from m.previous_task)
            """.formatted(Permission.controlled("$2"), EventLog.APPEND, SessionTransition.TASK_DATA)
            + OUTCOME.replace("{command}", "");

    /**
     * Creates a session if the caller may, the chat has no live one and the quota has room. $1 id, $2 workspace, $3
     * chat, $4 user, $5 the roles that may (null: everybody), $6 agent type, $7 model, $8 mode, $9 task, $10 hosting,
     * $11 labels, $12 server, $13 its hostname, $14 the labels it requires, $15 the chat's name, $16 to $18
     * its budget. A live session of the chat that this does not see yet violates {@code
     * agent_sessions_one_live_per_chat}.
     *
     * <p>Locks in the order of those who end a session and of those who delete the workspace (workspace, session,
     * counters), or they would wait for each other. Who edits the workspace's members holds its lock: the caller's role is
     * read after that, as of then.
     */
    static final String CREATE = """
            with host as materialized (
                select $12::uuid is null or exists (
                    select from servers v
                    where v.id = $12 and v.state = 'active' and v.lost_at is null and v.left_at is null) as takes),
            place as (
                select w.id as place_id, w.max_live_sessions from workspaces w where w.id = $2 for key share),
            occupied as (
                select s.id from place p
                join agent_sessions s on s.workspace_id = p.place_id and s.chat_id = $3 and s.ended_at is null
                for no key update of s),
            room as (
                update workspace_usage u
                set live_sessions = u.live_sessions + 1, total_sessions = u.total_sessions + 1
                from place p
                where u.workspace_id = p.place_id
                    and ($5::text[] is null or {role} = any ($5))
                    and not exists (select from occupied)
                    and u.live_sessions < p.max_live_sessions
                    and (select takes from host)
                returning u.workspace_id),
            created as (
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                    current_task, hosting, labels, server_id, server_hostname, requires, chat_name, max_turns, max_tokens,
                    max_seconds, last_position)
                select $1::uuid, r.workspace_id, $3::uuid, $4::uuid, $6::text, 'idle', $7::text, $8::text, $9::text,
                       $10::text, coalesce($11::text::jsonb, '{}'), $12::uuid, $13::text,
                       coalesce($14::text::jsonb, '{}'), $15::text, $16::integer, $17::bigint, $18::bigint,
                       next_position(0, 0) + 2
                from room r
                returning *),
            beating as (
                insert into session_heartbeats (session_id)
                select c.id from created c
                -- a chat's session is at rest until a host takes its turn
                where c.hosting = 'external' and not exists (
                    select from chats k where k.id = c.chat_id and k.workspace_id = c.workspace_id)),
            moved as (
                select c.*, null::text as previous_status, null::text as previous_task, null::text as why,
                       null::text as command
                from created c),
            %s
            select %s, p.max_live_sessions, exists (select from occupied) as occupied, host.takes
            from place p
            cross join host
            left join created s on true""".formatted(
                    SessionTransition.LOGGED.replace("{commanded}", "").replace("{after}", "0"), ONE)
            .replace("{role}", Permission.roleNow("p.place_id", "$4"));

    private static final String FILTERS = """
            where s.workspace_id = $1
                and ($2::text[] is null or s.status = any ($2))
                and ($3::text is null or s.agent_type = $3)
                and ($4::uuid is null or s.user_id = $4)
                and ($5::uuid is null or s.server_id = $5)
                and ($6::text is null or s.labels @> $6::text::jsonb)
            """;

    private static final String LIVE = "    and s.ended_at is null\n";

    private static final String PAGE = """
                and ($7::uuid is null or s.id < $7)
            order by s.id desc
            limit $8""";

    /**
     * A page of a workspace's sessions, newest first. $1 workspace, $2 states, $3 agent type, $4 user, $5 server, $6
     * labels, each null for any, $7 older than this id, $8 how many.
     */
    static String list(boolean live) {
        return live ? LIST_LIVE : LIST_ALL;
    }

    /** How many sessions the filters of {@link #list} leave. */
    static String count(boolean live) {
        return live ? COUNT_LIVE : COUNT_ALL;
    }

    /** What others than its owner see of a session: the result may be large, and is the owner's. */
    private static final String SUMMARY = VIEW.replace("s.result::text", "null::text");

    private static final String LIST = "select " + SUMMARY + "\nfrom agent_sessions s\n" + LIVENESS + FILTERS;
    private static final String LIST_LIVE = LIST + LIVE + PAGE;
    private static final String LIST_ALL = LIST + PAGE;
    private static final String COUNT_ALL = "select count(*) as total from agent_sessions s\n" + FILTERS;
    private static final String COUNT_LIVE = COUNT_ALL + LIVE;

    /** The counters behind an unfiltered list's total. */
    static final String USAGE = "select live_sessions, total_sessions from workspace_usage where workspace_id = $1";

    /** The sessions that a snapshot of a workspace shows at most; a list goes on with the rest. */
    static final int MAX_SNAPSHOT = 1_000;

    /**
     * What a stream begins with, from one snapshot: the log's newest event below the horizon, those above it that are visible already,
     * whether it is a chat of people, and the sessions. $1 workspace, $2 chat, or null for the workspace, $3 whether the
     * sessions are wanted.
     */
    static final String STATE = """
            select now.position, now.seen, now.is_chat, s.*
            from (select events_newest() as position,
                         array(select e.position from events e
                               where e.position >= events_horizon() and e.workspace_id = $1
                                   and ($2::uuid is null or e.chat_id = $2)) as seen,
                         exists (select from chats c where c.id = $2 and c.workspace_id = $1) as is_chat) now
            left join lateral (
                (select %1$s, s.open_commands from agent_sessions s %2$s
                 where s.chat_id = $2 and s.workspace_id = $1
                 order by (s.ended_at is null) desc, s.id desc
                 limit 1)
                union all
                (select %1$s, s.open_commands from agent_sessions s %2$s
                 where $3::boolean and $2::uuid is null and s.workspace_id = $1 and s.ended_at is null
                 order by s.id desc
                 limit %3$d)) s on true""".formatted(SUMMARY, LIVENESS, MAX_SNAPSHOT + 1);

    /**
     * Beats for the sessions that exist; tells which of them are live. $1 ids, $2 epochs, $3 caller (null: one who may beat
     * for all). Does not wait for the disk: a beat that a crash of Postgres loses is one of the last half second. Nor does it
     * lock a session, or look at the caller's role anew once it may write: a beat that crosses with a removal is one before
     * it.
     */
    static final String BEAT = """
            with beats as materialized (
                select s.id, s.status, s.epoch, s.ended_at is null as live,
                       s.ended_at is null
                           and (s.id, s.epoch) in (select * from unnest($1::uuid[], $2::bigint[])) as extends,
                       %s as permission
                from agent_sessions s
                where s.id = any ($1::uuid[])
                    and (select set_config('synchronous_commit', 'off', true)) = 'off'),
            extended as materialized (
                select extend_beats(array(select b.id from beats b where b.extends and b.permission = 'control')))
            select b.id, b.permission, b.status, b.epoch, b.live from extended cross join beats b""".formatted(Permission.sqlOfOwner("$3"));

    /** Whether one of the sessions $1 is none that the caller $2 may read. */
    static final String ANY_FOREIGN = """
            select exists (
                select from agent_sessions s where s.id = any ($1::uuid[]) and %s is null) as foreign_too""".formatted(Permission.sql("$2"));

    /** Most rows that one statement may change: the places that next_position has for one transaction. */
    static final int MAX_BATCH = 4_096;

    /**
     * A sweep for batches of this size. The size is a literal, and what a batch locks is a {@code lateral}: given a
     * parameter, the planner assumes a tenth of all rows, and reads whole tables for as long as no statement may take.
     */
    static String batched(String sweep, int batch) {
        return sweep.replace("{batch}", Integer.toString(batch));
    }

    /** What a silent session tells. */
    private static final String SILENT = """
            'stale' as why,
            case when s.status = 'running'
                then format('No heartbeat for %s s', extract(epoch from now() - h.beat_at)::bigint) end as message""";

    private static final String SWEPT = "\nselect count(*) as n from moved";

    /**
     * Since when the fleet has been there for who beats, without a break of $2 ms between two of these sweeps: from the
     * end of the last outage of the database or of all servers, or from the first sweep of all.
     */
    private static final String HEARING = """
            hearing as (
                insert into sweeps (name, started_at, finished_at) values ('hearing', now(), now())
                on conflict (name) do update set
                    started_at = case when sweeps.finished_at < now() - $2 * interval '1 millisecond' then now()
                        else sweeps.started_at end,
                    finished_at = now()
                returning started_at)""";

    /**
     * Sessions hosted outside that have not beaten although they would have been heard; one that beats meanwhile is let
     * off. Nobody holds a chat's session at rest, or one whose turn waits for a host or is on its way to one: it is not
     * silent. One statement notes that the fleet hears and judges by it: however late it runs, no outage is between the two.
     * $1 threshold in ms, $2 the break that counts as an outage, in ms.
     */
    static final String SWEEP_SILENT = "with " + HEARING + ",\n"
            + sweep(SILENT, "case when s.status = 'running' then 'error' else 'cancelled' end", """
            from session_heartbeats h
            cross join lateral (
                select a.* from agent_sessions a
                join session_heartbeats b on b.session_id = a.id
                where a.id = h.session_id
                    and b.beat_at < now() - $1 * interval '1 millisecond'
                    and a.status in ('running', 'idle') and a.hosting = 'external'
                    and (a.turn_id is null or (
                        select t.claimed_at is null or t.state = 'running' and t.begun_at is not null
                        from turns t where t.id = a.turn_id))
                    and (a.status = 'running' or (
                        select c.id from chats c where c.id = a.chat_id and c.workspace_id = a.workspace_id) is null)
                for no key update skip locked) s
            where h.beat_at < now() - $1 * interval '1 millisecond'
                and (select started_at from hearing) < now() - $1 * interval '1 millisecond'
            limit {batch}""") + SWEPT;

    /** Pauses that have run out; the session goes on as it was. */
    static final String SWEEP_PAUSES = "with "
            + sweep(
                    "s.paused_from as wanted, 'pause_expired' as why, null::text as message",
                    "(select %s from (select s.wanted, s.hosting, case when s.wanted = 'running' then %s end as work) g)"
                            .formatted(GOING_ON.formatted("g"), work("s")),
                    """
            from agent_sessions s
            where s.pause_expires_at < now() and s.status = 'paused' and s.paused_from in ('running', 'idle')
                and s.hosting in ('server', 'external')
            limit {batch}
            for no key update of s skip locked""")
            + SWEPT;

    /**
     * Sessions that nobody beats for, hosted ones and those at rest between two hosts, that have been idle too long; not those
     * that somebody has given work to. $1 timeout in ms, $2 and $3 the workspace and id to look after: the
     * walk goes round the live sessions a piece at a time, so that a turn costs the same however many there are. Tells
     * where the next piece begins, too; null after the last one.
     */
    static final String SWEEP_INACTIVE =
            """
            with piece as materialized (
                select a.workspace_id, a.id, a.status = 'idle' and a.updated_at < now() - $1 * interval '1 millisecond'
                           and (a.hosting = 'server'
                               -- looked up one by one: an exists would be read from the whole table
                               or a.hosting = 'external' and (select h.session_id from session_heartbeats h where h.session_id = a.id) is null)
                           and a.mail = 0
                           and coalesce((select t.state from turns t where t.id = a.turn_id), '') not in ('paused', 'parked')
                           as inactive
                from agent_sessions a
                where a.ended_at is null and (a.workspace_id, a.id) > ($2::uuid, $3::uuid)
                order by a.workspace_id, a.id
                limit {batch}),
            """ + sweep("'inactive' as why, null::text as message", "'cancelled'", """
            from piece
            cross join lateral (
                select a.* from agent_sessions a
                where a.id = piece.id
                    and a.status = 'idle'
                    and a.updated_at < now() - $1 * interval '1 millisecond'
                    and a.mail = 0
                for no key update skip locked) s
            where piece.inactive""") + """

            select (select count(*) from moved) as n, next.workspace_id, next.id
            from (select) one
            left join (select workspace_id, id from piece order by 1, 2 offset {batch} - 1) next on true""";

    /** What was last heard of a running session's work. */
    private static final String PROGRESS = "greatest(a.last_progress_at, a.updated_at)";

    /**
     * Running sessions that make no progress, however well they beat: told once, until they do. $1 the time in ms, $2 and $3
     * where to go on, as {@link #SWEEP_INACTIVE}.
     */
    static final String SWEEP_STALLED = """
            with piece as materialized (
                select a.workspace_id, a.id, a.status = 'running' and a.stalled_at is null
                           and a.hosting in ('server', 'external')
                           and %1$s < now() - $1 * interval '1 millisecond' as due
                from agent_sessions a
                where a.ended_at is null and (a.workspace_id, a.id) > ($2::uuid, $3::uuid)
                order by a.workspace_id, a.id
                limit {batch}),
            due as (
                select l.*, row_number() over (order by l.id) - 1 as ordinal
                from piece
                cross join lateral (
                    select a.*, %1$s as since from agent_sessions a
                    where a.id = piece.id and a.status = 'running' and a.stalled_at is null
                        and %1$s < now() - $1 * interval '1 millisecond'
                    for no key update skip locked) l
                where piece.due),
            moved as (
                update agent_sessions s
                set stalled_at = clock_timestamp(), last_position = next_position(d.last_position, d.ordinal)
                from due d
                where s.id = d.id
                returning s.*, d.since),
            logged as (
                %2$s
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_stalled',
                       jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                           'since', utc(m.since), 'at', utc(m.stalled_at), 'epoch', m.epoch),
                       m.stalled_at, false
                from moved m)
            select (select count(*) from moved) as n, next.workspace_id, next.id
            from (select) one
            left join (select workspace_id, id from piece order by 1, 2 offset {batch} - 1) next on true""".formatted(PROGRESS, EventLog.APPEND);

    /** Removes sessions that ended longer ago than $1 ms. */
    static final String REMOVE_ENDED = """
            with removed as (
                delete from agent_sessions where id = any (array(
                    select id from agent_sessions where ended_at < now() - $1 * interval '1 millisecond'
                        and status in ('completed', 'cancelled', 'error')
                    order by ended_at limit {batch} for update skip locked))
                returning workspace_id),
            counted as (
                update workspace_usage u set total_sessions = u.total_sessions - r.n
                from (select workspace_id, count(*) as n from removed group by 1 order by 1) r
                where u.workspace_id = r.workspace_id)
            select count(*) as n from removed""";

    /**
     * @param columns what it tells, beside the columns of the session {@code s}
     * @param next the state that the locked row {@code s} goes to
     * @param due which sessions, locked; those whose ends have no place in the log of this transaction stay for the next
     */
    private static String sweep(String columns, String next, String due) {
        return """
            due as materialized (
                select s.*, %1$s
                %3$s),
            going as materialized (
                select s.*, %2$s as next from due s),
            placed as (
                select g.*, p.places, sum(p.places) over (order by g.id) as up_to
                from going g
                cross join lateral (
                    select case when g.next in ('cancelled', 'error') then %4$s else 1 end as places) p),
            o as (
                select p.*, null::text as task, null::jsonb as outcome, null::uuid as new_pause_id,
                       null::bigint as pause_seconds, null::uuid as actor, next in ('cancelled', 'error') as ends,
                       up_to - places as ordinal
                from placed p
                where up_to <= %5$d or up_to = places),
            %6$s""".formatted(columns, next, due, SessionTransition.places("g"), MAX_BATCH, SessionTransition.swept());
    }

    /** The columns of agent_sessions, so that rows of {@code moved} and {@code old} can stand in one union. */
    private static String columns() {
        return """
            id, workspace_id, chat_id, user_id, agent_type, status, model, mode, chat_name, current_task, blocked_on,
            labels, error_message, result, hosting, server_id, server_hostname, epoch, version, created_at, updated_at,
            last_progress_at, ended_at, last_heartbeat, pause_id, pause_reason, pause_by, pause_at, pause_expires_at,
            paused_from, resumed_pause_id, last_position, requires, open_commands, stalled_at, turns, input_tokens,
            output_tokens, worked_ms, max_turns, max_tokens, max_seconds""";
    }
}
