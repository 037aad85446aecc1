package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;

/**
 * The statements on commands to the owners of hosted sessions. A command is born in the statement that changes its
 * session; these carry it on, each a batch: they lock the sessions in the order of their ids, then the commands, and
 * change only what the server still owns.
 */
final class CommandSql {
    private CommandSql() {}

    /** What a {@link CommandView} is read from. */
    static final String VIEW = """
            c.id, c.session_id, c.command, c.server_id, c.epoch, c.target_id, c.accepted_at, c.delivered_at,
            c.applied_at, c.fenced, c.rejected_why""";

    /** The data of an {@code agent_command}: {@code c} the command, {@code m} its session, both as they are now. */
    static String data(String state, String at) {
        return SqlText.fill("""
            jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'command_id', c.id, 'command', c.command,
                'state', case when c.rejected_why is null then '{state}' else 'rejected' end,
                'accepted_at', utc(c.accepted_at), 'delivered_at', utc(c.delivered_at),
                'applied_at', utc(c.applied_at), 'at', utc({at}), 'epoch', c.epoch, 'server_id', c.server_id,
                'target_server_id', c.target_id, 'fenced', c.fenced, 'detail', c.rejected_why)""", "state", state, "at", at);
    }

    /** Joins {@code c}, the command that this transition gave to the session {@code s}; of one that was not applied, the newest of its kind. */
    static final String NEWEST = """
            left join lateral (
                select c.* from commanded c
                union all
                (select c.* from session_commands c
                 where not s.applied and c.session_id = s.id
                     and c.command = case $4::text
                         when 'paused' then 'pause' when 'cancelled' then 'cancel' else 'resume' end
                 order by c.accepted_at desc, c.id desc
                 limit 1)) c on true
            """;

    /** With what the caller may do with its session. $1 session, $2 caller (null: one who may everything), $3 command. */
    static final String GET = Seen.of(SqlText.fill(
            "select {view} from session_commands c where c.session_id = s.id and c.id = $3", "view", VIEW));

    /** Which of these are applied. $1 ids. */
    static final String APPLIED =
            "select id from session_commands where id = any ($1::uuid[]) and applied_at is not null";

    /** Commands that one statement carries on, and how many of them may be of one session: the places of an event. */
    static final int BATCH = 500;

    private static final String EACH = "16";

    /**
     * What is new is delivered, and the owner learns it here; what it has not said to be carried out after a while is
     * delivered again: its answer may have been lost. A command that only a newer server knows waits for one. $1 the server, $2 a limit, $3 that while in ms.
     */
    static final String DELIVER = carryOn(
            """
            where s.server_id = $1::uuid and c.applied_at is null
                and c.command in ('pause', 'resume', 'cancel', 'stop', 'migrate')
                and (c.delivered_at is null or c.epoch <> s.epoch
                    or c.tried_at < now() - $3 * interval '1 millisecond')""",
            """
            server_id = $1::uuid, epoch = t.session_epoch, tried_at = clock_timestamp(),
                delivered_at = case when c.epoch = t.session_epoch then coalesce(c.delivered_at, clock_timestamp())
                    else clock_timestamp() end""",
            """
            c.applied_at is null
                and (c.delivered_at is null or c.epoch <> t.session_epoch
                    or c.tried_at < now() - $3 * interval '1 millisecond')""",
            // told once: what was delivered before this transaction began is only tried again
            "c.delivered_at >= now()",
            0,
            0,
            data("delivered", "c.delivered_at"),
            "c.delivered_at");

    /** $1 the server, $2 a limit, $3 the commands that it has carried out. */
    static final String APPLY = carryOn(
            """
            where c.id = any ($3::uuid[]) and c.applied_at is null
                and s.server_id = $1::uuid and c.epoch = s.epoch""",
            "applied_at = clock_timestamp()",
            "c.applied_at is null",
            "true",
            1,
            0,
            data("applied", "c.applied_at"),
            "c.applied_at");

    /** $1 the server, $2 a limit, $3 commands that cannot be carried out, $4 why. */
    static final String REJECT = carryOn(
            """
            where c.id = any ($3::uuid[]) and c.applied_at is null and s.server_id = $1::uuid""",
            "delivered_at = coalesce(c.delivered_at, clock_timestamp()), applied_at = clock_timestamp(),"
                    + " rejected_why = $4::text",
            "c.applied_at is null",
            "true",
            1,
            0,
            data("rejected", "c.applied_at"),
            "c.applied_at");

    /**
     * Ends what an owner does not carry out for a session that has ended, its cancel and whatever came before: it loses
     * the session, by its epoch. $1 null, $2 a limit, $3 how long an owner has in ms.
     */
    static final String FENCE = carryOn(
            """
            where c.command in ('pause', 'resume', 'cancel', 'stop') and c.applied_at is null and s.ended_at is not null and $1::uuid is null
                and (c.accepted_at < now() - $3 * interval '1 millisecond'
                    or exists (select from servers v where v.id = s.server_id
                                   and (v.lost_at is not null or v.left_at is not null)))""",
            "delivered_at = coalesce(c.delivered_at, clock_timestamp()), applied_at = clock_timestamp(), fenced = true,"
                    + " epoch = t.session_epoch + 1",
            "c.applied_at is null",
            "true",
            1,
            1,
            data("applied", "c.applied_at"),
            "c.applied_at");

    /** Migrations that an owner does not carry out. $1 how long it has in ms. */
    static final String LATE_MIGRATIONS = """
            select c.id, c.session_id, c.target_id, s.server_id, s.requires::text, s.ended_at is not null as ended
            from session_commands c
            join agent_sessions s on s.id = c.session_id
            where c.applied_at is null and c.command = 'migrate'
                and c.accepted_at < now() - $1 * interval '1 millisecond'
            limit 100""";

    /** Asks the owner of a live hosted session to hand it over. $1 session, $2 command, $3 target or null, $4 trace. */
    static final String ASK_TO_MIGRATE = SqlText.fill(
            """
            with old as (
                select s.* from agent_sessions s where s.id = $1 for no key update),
            commanded as (
                insert into session_commands (id, session_id, command, server_id, epoch, target_id, traceparent)
                select $2::uuid, o.id, 'migrate', o.server_id, o.epoch, $3::uuid, $4::text
                from old o
                where o.ended_at is null and o.hosting = 'server' and o.server_id is not null
                    and o.status in ('idle', 'running', 'paused')
                    and o.server_id is distinct from $3::uuid
                returning *),
            placed as (
                update agent_sessions s
                set last_position = next_position(o.last_position, 0), open_commands = o.open_commands + 1
                from old o join commanded c on c.session_id = o.id
                where s.id = o.id
                returning s.*),
            logged as (
                {append}
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_command', {command_data}, c.accepted_at, false
                from commanded c join placed m on m.id = c.session_id)
            select {session_view}, {view}, exists (select from commanded) as commanded
            from old s
            {liveness}
            left join commanded c on true""",
            "append",
            EventLog.APPEND,
            "command_data",
            data("accepted", "c.accepted_at"),
            "session_view",
            SessionSql.VIEW,
            "view",
            VIEW,
            "liveness",
            SessionSql.LIVENESS);

    static final String REMOVE_APPLIED = """
            with removed as (
                delete from session_commands where id = any (array(
                    select id from session_commands where applied_at < now() - $1 * interval '1 millisecond'
                    order by applied_at limit {batch} for update skip locked))
                returning 1)
            select count(*) as n from removed""";

    private static String carryOn(
            String which, String set, String unless, String told, int settles, int fences, String data, String at) {
        return SqlText.fill(
                """
            with found as materialized (
                select c.id as command_id, c.accepted_at, s.id, s.epoch as session_epoch, s.last_position
                from session_commands c
                join agent_sessions s on s.id = c.session_id
                {which}
                order by s.id, c.accepted_at, c.id
                limit $2
                for no key update of s),
            ranked as (
                select f.*, dense_rank() over (order by f.id) - 1 as ordinal,
                       row_number() over (partition by f.id order by f.accepted_at, f.command_id) - 1 as place
                from found f),
            taken as (select * from ranked where place < {each}),
            carried as (
                update session_commands c set {set}
                from taken t
                where c.id = t.command_id and {unless}
                returning c.*, next_position(t.last_position, t.ordinal) + t.place as position),
            placed as (
                update agent_sessions s
                set last_position = n.position,
                    open_commands = s.open_commands - {settles} * n.commands,
                    epoch = s.epoch + {fences},
                    version = s.version + {fences}
                from (select session_id, max(position) as position, count(*)::integer as commands
                      from carried group by 1) n
                where s.id = n.session_id
                returning s.*),
            logged as (
                {append}
                select c.position, m.workspace_id, m.chat_id, m.id, 'agent_command', {data}, {at},
                       m.ended_at is not null and m.open_commands = 0 and c.position = m.last_position
                           and not exists (
                               select from agent_sessions x
                               where x.workspace_id = m.workspace_id and x.chat_id = m.chat_id and x.ended_at is null
                                   -- this one may look live still: it has ended while its lock was waited for
                                   and x.id <> m.id)
                from carried c
                join placed m on m.id = c.session_id
                where {told})
            select c.*, m.requires::text as requires, m.ended_at is not null as ended,
                   case when c.turn_id is null or c.turn_id = m.turn_id then m.turn_id end as meant
            from (select {view}, c.position, c.turn_id, c.traceparent from carried c) c
            join placed m on m.id = c.session_id
            order by c.session_id, c.accepted_at, c.id""",
                "which",
                which,
                "set",
                set,
                "unless",
                unless,
                "settles",
                Integer.toString(settles),
                "fences",
                Integer.toString(fences),
                "data",
                data,
                "each",
                EACH,
                "append",
                EventLog.APPEND,
                "at",
                at,
                "view",
                VIEW,
                "told",
                told);
    }
}
