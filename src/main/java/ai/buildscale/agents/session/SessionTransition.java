package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;

/**
 * Composes the transition of a session as part of a statement: with its event, its counters, the command to its owner,
 * and before its end the end of its work. All that changes a status is made of it.
 */
public final class SessionTransition {
    private SessionTransition() {}

    private static final String NO_TURN = "null::uuid";

    private static final String STATUS_DATA = """
            jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                'status', m.status, 'previous_status', m.previous_status, 'reason', m.why, 'at', utc(m.updated_at),
                'epoch', m.epoch, 'version', m.version)""";

    static final String TASK_DATA = """
            jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                'task', m.current_task, 'at', utc(m.updated_at), 'version', m.version)""";

    /**
     * Appends an {@code agent_status} for each row of {@code moved}, then an {@code agent_task} if that changed too. A
     * session that ends by a command to its owner has its last event when the owner has obeyed.
     */
    static final String LOGGED =
            SqlText.fill("""
            logged as (
                {append}
                select m.last_position - {after} - 2, m.workspace_id, m.chat_id, m.id, 'agent_status', {status_data}, m.updated_at,
                       m.ended_at is not null and m.open_commands = 0
                from moved m
                where m.status is distinct from m.previous_status
                union all
                select m.last_position - {after} - 1, m.workspace_id, m.chat_id, m.id, 'agent_task', {task_data}, m.updated_at, false
                from moved m
                where m.current_task is distinct from m.previous_task
                {commanded})
            """, "append", EventLog.APPEND, "status_data", STATUS_DATA, "task_data", TASK_DATA);

    /** The same, with what a hosted session's owner is told to do. */
    private static final String LOGGED_WITH_COMMANDS = SqlText.fill(
            """
            commanded as (
                insert into session_commands (id, session_id, command, server_id, epoch, traceparent)
                select next_id(), m.id, m.command, m.server_id, m.epoch, {traceparent}
                from moved m
                where m.command is not null
                returning *),
            {logged}""",
            "logged",
            SqlText.fill(LOGGED, "commanded", SqlText.fill("""
            union all
            select m.last_position - {after}, m.workspace_id, m.chat_id, m.id, 'agent_command', {data}, c.accepted_at, false
            from commanded c join moved m on m.id = c.session_id""", "data", CommandSql.data("accepted", "c.accepted_at"))));

    /** What the owner of {@code o} is told by its move; null for what is not hosted, and for what agents do themselves. */
    private static final String COMMAND = """
            case when o.hosting = 'server' and o.server_id is not null then
                case when o.next = 'paused' then 'pause'
                     when o.next = 'cancelled' then 'cancel'
                     when o.status = 'paused' and not o.ends{begins} then 'resume' end
            end""";

    /** Whether the row {@code m} is a chat's session at rest: nobody beats for it until its next turn. */
    private static final String RESTS = """
            m.hosting = 'external' and m.status = 'idle'
                    -- looked up one by one: an exists would be read from the whole table
                    and (select c.id from chats c where c.id = m.chat_id and c.workspace_id = m.workspace_id) is not null""";

    /** More assignments, for a move that may be an end: nothing is left that waits, and what its turn has used is counted. */
    private static final String NOTHING_LEFT = """
            , input_tokens = o.input_tokens + coalesce(e.input, 0),
                    output_tokens = o.output_tokens + coalesce(e.output, 0),
                    mail = case when o.ends then 0 else o.mail end,
                    turn_id = case when o.ends then null else o.turn_id end,
                    blocked_on = case when o.ends and o.turn_id is not null then null else o.blocked_on end""";

    /** What the workspaces of sessions that end have used by the turns that end with them. */
    private static final String SPENDING = """
            ,
            spent as (
                insert into workspace_spending as w (workspace_id, turns, input_tokens, output_tokens)
                select e.workspace_id, sum(e.turns), sum(e.input), sum(e.output) from ending e
                where e.turns > 0
                group by 1
                order by 1
                on conflict (workspace_id) do update
                set turns = w.turns + excluded.turns, input_tokens = w.input_tokens + excluded.input_tokens,
                    output_tokens = w.output_tokens + excluded.output_tokens)
            """;

    /** What the end of the session {@code row} takes of the ordinals of {@code next_position}, each of 16 places. */
    public static String places(String row) {
        return SqlText.fill("({row}.mail + 21) / 16", "row", row);
    }

    /** Ends first what ends with the session. */
    private static final String ENDING = """
            ending as materialized (
                select o.id, o.workspace_id, w.*
                from o
                cross join lateral end_work(o.id, o.next, {closing}, next_position(o.last_position, o.ordinal) + {before}) w
                where o.ends and (o.mail > 0 or o.turn_id is distinct from {closing})),
            """;

    /** The assignments of an end. */
    private static final String ENDED = """
                    ended_at = case when o.ends then clock_timestamp() end,
                    last_heartbeat = case when o.ends then greatest(
                        o.created_at,
                        (select h.beat_at from session_heartbeats h where h.session_id = o.id),
                        (select v.renewed_at from servers v where v.id = o.server_id)) end,
            """;

    /** One that has ended counts no more among the live. */
    private static final String FREED = """
            freed as (
                update workspace_usage u set live_sessions = u.live_sessions - ended.n
                from (select workspace_id, count(*) as n from moved where ended_at is not null
                      group by 1 order by 1) ended
                where u.workspace_id = ended.workspace_id),
            """;

    /** Who comes out of a pause has just been heard. */
    private static final String REVIVED = """
            revived as (
                update session_heartbeats h set beat_at = now() from moved m
                where m.previous_status = 'paused' and m.ended_at is null and not ({rests}) and h.session_id = m.id),
            """;

    /**
     * Moves each row of {@code o} (a locked session and where it goes) to its next state, with all that follows. What only an
     * end needs is left out elsewhere: each part of a statement costs something even where it has nothing to do.
     */
    private static final String MOVE = """
            {ending}moved as (
                update agent_sessions s
                set status = o.next,
                    version = o.version + 1,
                    updated_at = clock_timestamp(),
                    current_task = coalesce(o.task, o.current_task),
                    error_message = coalesce(o.message, o.error_message),
                    result = coalesce(o.outcome, o.result),
            {ended}        pause_id = o.new_pause_id,
                    pause_reason = case when o.next = 'paused' then o.why end,
                    pause_by = case when o.next = 'paused' then o.actor end,
                    pause_at = case when o.next = 'paused' then clock_timestamp() end,
                    pause_expires_at = clock_timestamp() + o.pause_seconds * interval '1 second',
                    paused_from = case when o.next = 'paused' then o.status end,
                    resumed_pause_id = case when o.ends then o.resumed_pause_id
                        else coalesce(o.pause_id, o.resumed_pause_id) end,
                    open_commands = o.open_commands + case when {command} is null then 0 else 1 end,
                    stalled_at = null,
                    last_position = next_position(o.last_position, o.ordinal) + {before} + {told} + 2 + {after}
                    {also}
                from o{ends_with}
                where s.id = o.id
                returning s.*, o.status as previous_status, o.current_task as previous_task, o.why,
                    {command} as command, {told} as left_told),
            {revived}silenced as (
                delete from session_heartbeats h using moved m
                where (m.ended_at is not null or {rests}) and h.session_id = m.id),
            {freed}{logged}""";

    /** What a move may be, beside a change of state. */
    private enum Kind {
        PLAIN,
        /** Some of them go on after a pause. */
        RESUMING,
        /** Some of them are ends. */
        ENDING,
        /** Both. */
        ANY
    }

    /**
     * {@code moved}, and all that follows from it: each row of {@code o} gets its next state, of those that are no end, and
     * none comes out of a pause. {@code o} has a locked session's columns, and {@code next, why, task, message, outcome,
     * new_pause_id, pause_seconds, actor, ends, ordinal} (as {@code SessionSql} has them; the ordinal counts from 0).
     *
     * @param also more assignments of {@code agent_sessions s}, with a comma before each
     * @param before places in the log that the statement keeps for events of its own before those of the move, and of what
     *     ends with the session: the first is {@code moved.last_position - after - 2 - moved.left_told - before}
     * @param after the same after them: the first is {@code moved.last_position - after + 1}; 16 in all, with 3 of the move
     */
    public static String of(String also, int before, int after) {
        return of(Kind.PLAIN, also, before, after, NO_TURN, "null", "");
    }

    /**
     * The same for a statement that closes turns: it may end sessions. One that ends takes {@link #places} ordinals.
     *
     * @param closing the column of {@code o} that has the turn that is closed: it is not ended by the move
     */
    public static String closing(String closing, String also, int before, int after) {
        return of(Kind.ENDING, also, before, after, closing, "null", "");
    }

    /**
     * The same as part of a request for a state that is no end.
     *
     * @param traceparent the parameter that has it, or null, as what its commands go on with
     */
    static String requested(String traceparent) {
        return of(Kind.PLAIN, "", 0, 0, NO_TURN, traceparent, "");
    }

    /**
     * The same for one to go on.
     *
     * @param begins which idle ones go on by their owner, as what is resumed does
     */
    static String requestedToGoOn(String traceparent, String begins) {
        return of(Kind.RESUMING, "", 0, 0, NO_TURN, traceparent, SqlText.fill(" or {begins}", "begins", begins));
    }

    /** The same for one to end. */
    static String requestedToEnd(String traceparent) {
        return SqlText.fill(
                "{move}{spending}",
                "move",
                of(Kind.ENDING, NOTHING_LEFT, 0, 0, NO_TURN, traceparent, ""),
                "spending",
                SPENDING);
    }

    /** The same for sweeps. */
    static String swept() {
        return SqlText.fill(
                "{move}{spending}",
                "move",
                of(Kind.ANY, NOTHING_LEFT, 0, 0, NO_TURN, "null", ""),
                "spending",
                SPENDING);
    }

    private static String of(
            Kind kind, String also, int before, int after, String closing, String traceparent, String begins) {
        boolean ends = kind == Kind.ENDING || kind == Kind.ANY;
        boolean resumes = kind == Kind.RESUMING || kind == Kind.ANY;
        String first = Integer.toString(before);
        String last = Integer.toString(after);
        return SqlText.fill(
                MOVE,
                "ending",
                ends ? SqlText.fill(ENDING, "closing", closing, "before", first) : "",
                "ended",
                ends ? ENDED : "",
                "ends_with",
                ends ? "\n    left join ending e on e.id = o.id" : "",
                "told",
                ends ? "coalesce(e.told, 0)" : "0",
                "freed",
                ends ? FREED : "",
                "revived",
                resumes ? SqlText.fill(REVIVED, "rests", RESTS) : "",
                "command",
                SqlText.fill(COMMAND, "begins", begins),
                "rests",
                RESTS,
                "before",
                first,
                "after",
                last,
                "also",
                also,
                "logged",
                SqlText.fill(LOGGED_WITH_COMMANDS, "after", last, "traceparent", traceparent));
    }
}
