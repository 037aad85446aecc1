package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements on sessions. Each change is one statement: it locks the row, changes it, keeps the counters and appends
 * its events; the row's lock is taken before the event's position is, so that positions follow the order of changes.
 */
final class SessionSql {
    private SessionSql() {}

    /** What a {@link SessionView} is read from; {@code s} the session, {@code v} its server, {@code h} its own beat. */
    private static final String COLUMNS = """
            s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
            s.current_task, s.error_message, {result}, s.created_at, s.updated_at,
            coalesce(s.last_heartbeat, {heard}) as last_heartbeat,
            s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
            s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
            s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
            s.max_seconds""";

    private static final String HEARD = "greatest(s.created_at, h.beat_at, v.renewed_at)";

    static final String VIEW = SqlText.fill(COLUMNS, "result", "s.result::text", "heard", HEARD);

    static final String LIVENESS = """
            left join servers v on v.id = s.server_id
            left join session_heartbeats h on h.session_id = s.id
            """;

    /** The same of one session, without joins: nothing is looked up that is not needed. */
    static final String ONE = SqlText.fill(COLUMNS, "result", "s.result::text", "heard", """
            greatest(s.created_at, case s.hosting
                when 'server' then (select v.renewed_at from servers v where v.id = s.server_id)
                else (select h.beat_at from session_heartbeats h where h.session_id = s.id) end)""");

    /** With what the caller may do with it as its owner. $1 id, $2 caller (null: one who may everything). */
    static final String GET = SqlText.fill(
            "select {one}, {permission} as permission\nfrom agent_sessions s where s.id = $1",
            "one",
            ONE,
            "permission",
            Permission.sqlOfOwner("$2"));

    /** The session that lives in a chat, or else the last one. $1 workspace, $2 chat. */
    static final String OF_CHAT = SqlText.fill("""
            select {one} from agent_sessions s
            where s.chat_id = $2 and s.workspace_id = $1
            order by (s.ended_at is null) desc, s.id desc
            limit 1""", "one", ONE);

    /** What somebody may do with it who does not own it. $1 id, $2 caller. */
    static final String PERMISSION = SqlText.fill(
            "select {permission} as permission\nfrom agent_sessions s where s.id = $1",
            "permission",
            Permission.sql("$2"));

    /**
     * A session's events, of none that the caller may not read; read with the permission, so that nothing is seen that came
     * after the caller was removed. $1 id, $2 caller, $3 after this position, $4 how many.
     */
    static final String HISTORY = SqlText.fill("{events}\norder by e.position", "events", Seen.of(EventLog.HISTORY));

    /** The changed row if there is one, else the row as it is; with what a judge needs to know of how it was. */
    static final String OUTCOME = SqlText.fill("""
            select {one},
                   s.applied, old.status as old_status, old.version as old_version, old.pause_id as old_pause_id,
                   old.resumed_pause_id as old_resumed_pause_id, old.epoch as old_epoch{command}
            from (select {columns}, true as applied from moved
                  union all
                  select {columns}, false from old where not exists (select from moved)) s
            cross join old
            """, "one", ONE, "columns", columns());

    static final String OLD = """
            with old as (
                select s.* from agent_sessions s where s.id = $1 for no key update),
            """;

    /**
     * Changes what is not the state, and beats at once where that is asked. $1 id, $2 caller (null: one who may
     * everything), $3 the versions one of which it expects, $4 whether the task is given, $5 task, $6 model, $7 mode, $8
     * agent type, $9 labels, $10 whether blocked_on is given, $11 blocked_on, $12 whether progress was made, $13 the epoch
     * it names (null: any), $14 whether it is a heartbeat, $15 whether a budget is given, $16 to $18 its turns, tokens,
     * seconds.
     */
    static final String CHANGE = SqlText.fill(
            """
            {old}
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
                    and {controlled}
                    and ($3::bigint[] is null or o.version = any ($3))
                    and ($13::bigint is null or o.epoch = $13)
                returning s.*, o.current_task as previous_task),
            beat as (
                update session_heartbeats h set beat_at = now() from moved m where $14::boolean and h.session_id = m.id),
            logged as (
                {append}
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
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_task', {task_data}, m.updated_at, false
                from moved m
                where m.current_task is distinct from m.previous_task)
            {outcome}""",
            "old",
            OLD,
            "controlled",
            Permission.controlled("$2"),
            "append",
            EventLog.APPEND,
            "task_data",
            SessionTransition.TASK_DATA,
            "outcome",
            SqlText.fill(OUTCOME, "command", ""));

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
    static final String CREATE = SqlText.fill(
            """
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
            {logged}
            select {one}, p.max_live_sessions, exists (select from occupied) as occupied, host.takes
            from place p
            cross join host
            left join created s on true""",
            "logged",
            SqlText.fill(SessionTransition.LOGGED, "commanded", "", "after", "0"),
            "one",
            ONE,
            "role",
            Permission.roleNow("p.place_id", "$4"));

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
    private static final String SUMMARY = SqlText.fill(COLUMNS, "result", "null::text", "heard", HEARD);

    private static final String LIST_LIVE = list(LIVE, PAGE);
    private static final String LIST_ALL = list("", PAGE);

    private static final String COUNT_ALL = count("");
    private static final String COUNT_LIVE = count(LIVE);

    private static String list(String live, String page) {
        return SqlText.fill(
                "select {summary}\nfrom agent_sessions s\n{liveness}{filters}{live}{page}",
                "summary",
                SUMMARY,
                "liveness",
                LIVENESS,
                "filters",
                FILTERS,
                "live",
                live,
                "page",
                page);
    }

    private static String count(String live) {
        return SqlText.fill(
                "select count(*) as total from agent_sessions s\n{filters}{live}", "filters", FILTERS, "live", live);
    }

    /** The counters behind an unfiltered list's total. */
    static final String USAGE = "select live_sessions, total_sessions from workspace_usage where workspace_id = $1";

    /** The sessions that a snapshot of a workspace shows at most; a list goes on with the rest. */
    static final int MAX_SNAPSHOT = 1_000;

    /**
     * What a stream begins with, from one snapshot: the log's newest event below the horizon, those above it that are visible already,
     * whether it is a chat of people, and the sessions. $1 workspace, $2 chat, or null for the workspace, $3 whether the
     * sessions are wanted.
     */
    static final String STATE =
            SqlText.fill("""
            select now.position, now.seen, now.is_chat, s.*
            from (select events_newest() as position,
                         array(select e.position from events e
                               where e.position >= events_horizon() and e.workspace_id = $1
                                   and ($2::uuid is null or e.chat_id = $2)) as seen,
                         exists (select from chats c where c.id = $2 and c.workspace_id = $1) as is_chat) now
            left join lateral (
                (select {summary}, s.open_commands from agent_sessions s {liveness}
                 where s.chat_id = $2 and s.workspace_id = $1
                 order by (s.ended_at is null) desc, s.id desc
                 limit 1)
                union all
                (select {summary}, s.open_commands from agent_sessions s {liveness}
                 where $3::boolean and $2::uuid is null and s.workspace_id = $1 and s.ended_at is null
                 order by s.id desc
                 limit {most})) s on true""", "summary", SUMMARY, "liveness", LIVENESS, "most", Integer.toString(MAX_SNAPSHOT + 1));

    /**
     * Beats for the sessions that exist; tells which of them are live. $1 ids, $2 epochs, $3 caller (null: one who may beat
     * for all). Does not wait for the disk: a beat that a crash of Postgres loses is one of the last half second. Nor does it
     * lock a session, or look at the caller's role anew once it may write: a beat that crosses with a removal is one before
     * it.
     */
    static final String BEAT = SqlText.fill("""
            with beats as materialized (
                select s.id, s.status, s.epoch, s.ended_at is null as live,
                       s.ended_at is null
                           and (s.id, s.epoch) in (select * from unnest($1::uuid[], $2::bigint[])) as extends,
                       {permission} as permission
                from agent_sessions s
                where s.id = any ($1::uuid[])
                    and (select set_config('synchronous_commit', 'off', true)) = 'off'),
            extended as materialized (
                select extend_beats(array(select b.id from beats b where b.extends and b.permission = 'control')))
            select b.id, b.permission, b.status, b.epoch, b.live from extended cross join beats b""", "permission", Permission.sqlOfOwner("$3"));

    /** Whether one of the sessions $1 is none that the caller $2 may read. */
    static final String ANY_FOREIGN = SqlText.fill("""
            select exists (
                select from agent_sessions s where s.id = any ($1::uuid[]) and {permission} is null) as foreign_too""", "permission", Permission.sql("$2"));

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
