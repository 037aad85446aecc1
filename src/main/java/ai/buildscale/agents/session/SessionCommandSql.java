package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements that carry out commands of callers: each locks the session's row, moves it to its next state with all
 * that follows, and returns the command's outcome.
 */
final class SessionCommandSql {
    private SessionCommandSql() {}

    /** What there is to do in the chat that the session {@code row} lives in; null if it is no chat's. */
    static String work(String row) {
        return SqlText.fill("""
            case when (select c.id from chats c where c.id = {row}.chat_id and c.workspace_id = {row}.workspace_id) is not null
                    then chat_work({row}.id) end""", "row", row);
    }

    /**
     * Where a session goes that is {@code wanted} to go on: a chat's runs only with a turn. Where its owner is a server of
     * this service, that begins it at once; a turn for hosts elsewhere waits until one takes it.
     */
    static String goingOn(String row) {
        return SqlText.fill("""
            case when {row}.wanted <> 'running' or {row}.work is null or {row}.work = 'held' then {row}.wanted
                        when {row}.work = 'none' or {row}.hosting = 'external' then 'idle'
                        else 'running' end""", "row", row);
    }

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
    static final String GO_ON = SqlText.fill(
            """
            {old}
            asked as materialized (
                select old.*, w.wanted, case when w.wanted = 'running' then {work} end as work
                from old
                cross join lateral (
                    select coalesce($4::text, case when $6::text is null and old.paused_from is distinct from 'running'
                               then 'idle' else 'running' end) as wanted) w),
            o as (
                select o.*, n.next, coalesce($5::text, $7::text, case
                           when o.wanted <> n.next then case o.work when 'none' then 'nothing to do' else 'waits for a host' end
                           end) as why,
                       {asked}, false as ends, 0 as ordinal
                from asked o
                cross join lateral (select {going_on} as next) n
                where {fits}
                    and o.status <> n.next
                    and not coalesce($4::text = 'running' and o.work = 'none', false)
                    and {controlled}),
            {transition}
            {outcome}""",
            "old",
            SessionSql.OLD,
            "work",
            work("old"),
            "asked",
            ASKED,
            "going_on",
            goingOn("o"),
            "fits",
            FITS,
            "controlled",
            Permission.controlled("$2"),
            "transition",
            SessionTransition.requestedToGoOn("$14::text", STARTS),
            "outcome",
            outcome("(select a.work from asked a)"));

    /** Carries out a command to rest, with the parameters of {@link #GO_ON}. */
    static final String REST = straight("false", Permission.controlled("$2"), SessionTransition.requested("$14::text"));

    /** Carries out a command to end, with the parameters of {@link #GO_ON}. */
    static final String END = straight(
            "true",
            SqlText.fill(
                    "({controlled} or $4::text = 'cancelled' and {ended})",
                    "controlled",
                    Permission.controlled("$2"),
                    "ended",
                    Permission.ended("$2")),
            SessionTransition.requestedToEnd("$14::text"));

    /** What a command does to a session that leads to the state $4, whatever there is to do in it. */
    private static String straight(String ends, String permitted, String transition) {
        return SqlText.fill(
                """
            {old}
            o as (
                select o.*, $4::text as next, coalesce($5::text, $7::text) as why,
                       {asked}, {ends} as ends, 0 as ordinal
                from old o
                where {fits}
                    and o.status <> $4
                    and {permitted}),
            {transition}
            {outcome}""",
                "old",
                SessionSql.OLD,
                "asked",
                ASKED,
                "ends",
                ends,
                "fits",
                FITS,
                "permitted",
                permitted,
                "transition",
                transition,
                "outcome",
                outcome("null::text"));
    }

    /** What became of a command. */
    private static String outcome(String work) {
        String columns = SqlText.fill(", {view},\n       {work} as work", "view", CommandSql.VIEW, "work", work);
        return SqlText.fill(
                "{outcome}{newest}",
                "outcome",
                SqlText.fill(SessionSql.OUTCOME, "command", columns),
                "newest",
                CommandSql.NEWEST);
    }

    /** The statement that carries out a command. */
    static String transition(SessionCommand command) {
        return switch (command) {
            case START, RESUME -> GO_ON;
            case YIELD, PAUSE -> REST;
            case COMPLETE, FAIL, CANCEL -> END;
        };
    }
}
