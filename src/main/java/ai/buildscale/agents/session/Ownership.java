package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.postgres.Rows;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Hands hosted sessions over from server to server, and counts what a server owns. Each statement names the owner that
 * it takes sessions from; sessions that have moved meanwhile stay where they are. Everything may run on all servers at
 * once.
 */
@ApplicationScoped
public class Ownership {
    static final String HAND_OVER = SessionSweepSql.batched(OwnershipSql.HAND_OVER, HandoverTargets.BATCH);

    private final Database database;
    private final Notifier notifier;

    Ownership(Database database, Notifier notifier) {
        this.database = database;
        this.notifier = notifier;
    }

    /**
     * The servers to which sessions may be handed over.
     *
     * @param servers the servers
     * @param turns the order in which they take sessions, repeated; a server may stand in it several times
     * @param lostAfter the age at which a lease no longer counts
     */
    public record HandoverTargets(List<UUID> servers, List<UUID> turns, Duration lostAfter) {
        /** The sessions that one statement hands over. */
        public static final int BATCH = 500;

        public boolean isEmpty() {
            return turns.isEmpty();
        }
    }

    /**
     * A batch that was handed over.
     *
     * @param sessions how many there were
     * @param silent how long their last owner had not been heard of, at most
     */
    public record HandedOver(int sessions, Duration silent) {}

    /**
     * How many live sessions a server owns, and which of their commands it has not carried out.
     *
     * @param oldestCommand since when the oldest of these waits
     */
    public record Count(long sessions, long running, long openCommands, Duration oldestCommand) {}

    /** Hands over a batch of what servers own that are gone, or draining past their time; each session once. */
    public Uni<HandedOver> recover(Collection<UUID> gone, HandoverTargets targets) {
        return handOver(gone, targets, null, HAND_OVER);
    }

    /**
     * Hands over up to so many of the sessions that this server owns.
     *
     * @param why {@code drain} or {@code rebalance}
     */
    public Uni<HandedOver> handOver(UUID server, HandoverTargets targets, String why, int atMost) {
        String sql =
                atMost >= HandoverTargets.BATCH ? HAND_OVER : SessionSweepSql.batched(OwnershipSql.HAND_OVER, atMost);
        return handOver(List.of(server), targets, why, sql);
    }

    private Uni<HandedOver> handOver(Collection<UUID> from, HandoverTargets targets, String why, String sql) {
        return database.rows(
                        sql,
                        from.toArray(UUID[]::new),
                        targets.servers().toArray(UUID[]::new),
                        targets.turns().toArray(UUID[]::new),
                        targets.lostAfter().toMillis(),
                        why)
                .map(this::handedOver);
    }

    /**
     * Hands over one session that was asked to migrate, which is applied by it. Emits whether it was.
     *
     * @param owner whose it must still be
     * @param command the migration, which must still be open
     */
    public Uni<Boolean> migrate(UUID session, UUID owner, UUID command, HandoverTargets targets) {
        return database.rows(
                        OwnershipSql.HAND_OVER_ONE,
                        new UUID[] {session},
                        targets.servers().toArray(UUID[]::new),
                        targets.turns().toArray(UUID[]::new),
                        targets.lostAfter().toMillis(),
                        "requested",
                        owner,
                        command)
                .map(this::handedOver)
                .map(handed -> handed.sessions() > 0);
    }

    private HandedOver handedOver(RowSet<Row> rows) {
        long sessions = 0;
        long silent = 0;
        for (Row row : rows) {
            sessions += row.getLong("n");
            silent = Math.max(silent, row.getLong("silent") == null ? 0 : row.getLong("silent"));
        }
        if (sessions > 0) {
            notifier.concerns(
                    Rows.map(rows, row -> row.getUUID("server_id")).stream().collect(Collectors.toSet()));
        }
        return new HandedOver((int) sessions, Duration.ofMillis(silent));
    }

    public Uni<Count> count(UUID server) {
        return database.row(OwnershipSql.COUNT, server)
                .map(row -> new Count(
                        row.getLong("sessions"),
                        row.getLong("running"),
                        row.getLong("commands"),
                        Duration.ofMillis(row.getLong("oldest"))));
    }
}
