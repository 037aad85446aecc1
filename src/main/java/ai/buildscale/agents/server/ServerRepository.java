package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.postgres.SqlText;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** The fleet's table: one row a server. */
@ApplicationScoped
class ServerRepository {
    /** The class of the advisory locks that servers hold while they live; V3__fleet.sql names it too. */
    static final int PRESENCE_LOCKS = 1936028260;

    /** Once, however often it is tried under one id; no row if that was given up meanwhile. */
    private static final String JOIN = """
            insert into servers (id, hostname, url, version, capacity, labels, state, drain_until)
            values ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text,
                case when $7 = 'draining' then now() + $8 * interval '1 millisecond' end)
            on conflict (id) do update set renewed_at = now() where servers.lost_at is null
            returning id""";

    /** No row for a server that the others have given up. */
    static final String RENEW = """
            update servers
            set renewed_at = now(), sessions = $2, load = $3, watched = $4,
                counted_at = now() - $5 * interval '1 millisecond'
            where id = $1 and lost_at is null and left_at is null
            returning state, rebalance_at""";

    private static final String LEAVE = """
            update servers set left_at = now(), renewed_at = now(), watched = false
            where id = $1 and lost_at is null and left_at is null""";

    static final String MEMBERS = SqlText.fill("""
            select v.id, v.hostname, v.url,
                   case when v.lost_at is null and v.left_at is null then v.state else 'gone' end as state,
                   v.started_at, v.renewed_at, coalesce(v.left_at, v.lost_at) as gone_at,
                   case when v.left_at is not null then 'left' else v.lost_reason end as gone_reason,
                   v.capacity, v.labels::text as labels, v.sessions, v.load, v.version,
                   (extract(epoch from now() - v.counted_at) * 1000)::bigint as counted,
                   (extract(epoch from now() - v.renewed_at) * 1000)::bigint as silent,
                   -- right after a restart of Postgres nobody holds a lock yet
                   v.watched and p.objid is null and pg_postmaster_start_time() < now() - interval '5 seconds' as vanished,
                   (v.lost_at is not null or v.left_at is not null) and exists (
                       select from agent_sessions s
                       where s.server_id = v.id and s.ended_at is null
                           and s.hosting = 'server' and s.status in ('idle', 'running', 'paused')) as holds,
                   v.state = 'draining' and v.drain_until < now() as overdue,
                   v.rebalance_at
            from servers v
            left join (
                select distinct l.objid from pg_locks l
                where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = {presence_locks}
                    and l.database = (select oid from pg_database where datname = current_database())) p
                on p.objid = (presence_key(v.id)::bigint & 4294967295)::oid""", "presence_locks", Integer.toString(PRESENCE_LOCKS));

    private static final String MEMBER = SqlText.fill("{members}\nwhere v.id = $1", "members", MEMBERS);

    /**
     * $1 suspects by their lease, $2 suspects by their connection, $3 the age in ms at which a lease is lost, $4 who says
     * so: a member whose own lease holds.
     */
    private static final String DECLARE_LOST = """
            update servers v
            set lost_at = now(),
                lost_reason = case when v.id = any ($1::uuid[]) then 'lease_expired' else 'connection_lost' end
            where v.lost_at is null and v.left_at is null
                and (v.id = any ($1::uuid[]) and v.renewed_at < now() - $3 * interval '1 millisecond'
                    or v.id = any ($2::uuid[]) and v.watched and not server_is_present(v.id))
                and exists (
                    select from servers me
                    where me.id = $4 and me.lost_at is null and me.left_at is null
                        and me.renewed_at > now() - $3 * interval '1 millisecond')
            returning v.id""";

    /** $1 server, $2 state, $3 the ms that a drain may take. */
    private static final String CHANGE_STATE = """
            with changed as (
                update servers v
                set state = $2::text,
                    drain_until = case when $2 <> 'draining' then null
                        when v.state = 'draining' then v.drain_until
                        else now() + $3 * interval '1 millisecond' end
                where v.id = $1 and v.lost_at is null and v.left_at is null
                returning 1)
            select exists (select from changed) as changed, exists (select from servers where id = $1) as known""";

    private static final String ASK_TO_REBALANCE = """
            update servers set rebalance_at = now() where id = any ($1::uuid[]) and lost_at is null and left_at is null""";

    private static final String COUNTS = """
            select server_id, count(*) as sessions, count(*) filter (where status = 'running') as running
            from agent_sessions
            where server_id = any ($1::uuid[]) and ended_at is null
            group by server_id""";

    private static final String FORGET = """
            delete from servers v
            where coalesce(v.left_at, v.lost_at) < now() - $1 * interval '1 millisecond'
                and not exists (select from agent_sessions s where s.server_id = v.id and s.ended_at is null)""";

    private final Database database;

    ServerRepository(Database database) {
        this.database = database;
    }

    /** What a server learns when it renews its lease. */
    record Renewed(String state, Instant rebalanceAt) {}

    record Counts(long sessions, long running) {}

    /** Emits whether it has joined; false if this id was given up meanwhile. */
    Uni<Boolean> join(
            UUID id, String hostname, ServerConfig config, String version, Map<String, String> labels, String state) {
        return database.rows(
                        JOIN,
                        id,
                        hostname,
                        config.url().orElse(null),
                        version,
                        config.capacity(),
                        new JsonObject(new HashMap<>(labels)).encode(),
                        state,
                        config.drainTimeout().toMillis())
                .map(rows -> rows.size() > 0);
    }

    /** Emits null if the others have given it up. */
    Uni<Renewed> renew(UUID id, ServerLoad.Now load, boolean watched) {
        return database.row(
                        RENEW,
                        id,
                        load.sessions(),
                        load.average(),
                        watched,
                        load.countedAgo().toMillis())
                .map(row ->
                        row == null ? null : new Renewed(row.getString("state"), Rows.instant(row, "rebalance_at")));
    }

    Uni<Void> leave(UUID id) {
        return database.rows(LEAVE, id).replaceWithVoid();
    }

    Uni<List<Member>> members() {
        return database.rows(MEMBERS).map(rows -> Rows.map(rows, ServerRepository::member));
    }

    /** Emits null if there is no such server. */
    Uni<Member> find(Db db, UUID id) {
        return db.row(MEMBER, id).map(row -> row == null ? null : member(row));
    }

    /** Emits those that are lost from now on. */
    Uni<List<UUID>> declareLost(
            UUID judge, Collection<UUID> byLease, Collection<UUID> byConnection, Duration lostAfter) {
        return database.rows(
                        DECLARE_LOST,
                        byLease.toArray(UUID[]::new),
                        byConnection.toArray(UUID[]::new),
                        lostAfter.toMillis(),
                        judge)
                .map(rows -> Rows.map(rows, row -> row.getUUID("id")));
    }

    /** Whether there is such a server, and whether it could be changed because it is not gone. */
    record Changed(boolean known, boolean changed) {}

    Uni<Changed> change(Db db, UUID id, ServerState state, Duration drainTimeout) {
        return db.row(CHANGE_STATE, id, state.toString(), drainTimeout.toMillis())
                .map(row -> new Changed(row.getBoolean("known"), row.getBoolean("changed")));
    }

    Uni<Void> askToRebalance(Db db, Collection<UUID> servers) {
        return db.rows(ASK_TO_REBALANCE, (Object) servers.toArray(UUID[]::new)).replaceWithVoid();
    }

    /** Counted now; servers that own nothing are missing. */
    Uni<Map<UUID, Counts>> counts(Collection<UUID> servers) {
        return database.rows(COUNTS, (Object) servers.toArray(UUID[]::new)).map(rows -> {
            Map<UUID, Counts> counts = new HashMap<>();
            rows.forEach(row ->
                    counts.put(row.getUUID("server_id"), new Counts(row.getLong("sessions"), row.getLong("running"))));
            return counts;
        });
    }

    Uni<Integer> forget(Duration after) {
        return database.rows(FORGET, after.toMillis()).map(rows -> rows.rowCount());
    }

    private static Member member(Row row) {
        return new Member(
                row.getUUID("id"),
                row.getString("hostname"),
                row.getString("url"),
                row.getString("state"),
                Rows.instant(row, "started_at"),
                Rows.instant(row, "renewed_at"),
                Rows.instant(row, "gone_at"),
                row.getString("gone_reason"),
                row.getInteger("capacity"),
                labels(row.getString("labels")),
                row.getLong("sessions"),
                row.getDouble("load"),
                row.getString("version"),
                Duration.ofMillis(Math.max(0, row.getLong("counted"))),
                Duration.ofMillis(row.getLong("silent")),
                row.getBoolean("vanished"),
                row.getBoolean("holds"),
                Boolean.TRUE.equals(row.getBoolean("overdue")),
                Rows.instant(row, "rebalance_at"));
    }

    /** Labels as the database holds them. */
    static Map<String, String> labels(String json) {
        Map<String, String> labels = new HashMap<>();
        new JsonObject(json)
                .forEach(label -> labels.put(label.getKey(), label.getValue().toString()));
        return Map.copyOf(labels);
    }

    static List<UUID> ids(Collection<Member> members) {
        return members.stream().map(Member::id).toList();
    }
}
