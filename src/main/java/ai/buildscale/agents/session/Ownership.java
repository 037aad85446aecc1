package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * The owner's side of hosted sessions: take commands, carry them out, hand sessions over. Whatever an owner writes
 * names itself, and what it says to have done also its epoch; what it has lost meanwhile stays as it is, and it is
 * told so by getting fewer rows back. Everything may run on all servers at once.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class Ownership {
    private static final String ONE_MIGRATION = "session_commands_one_migration";
    static final String HAND_OVER = SessionSweepSql.batched(OwnershipSql.HAND_OVER, HandoverTargets.BATCH);

    private final Database database;
    private final CommandRepository commands;
    private final Notifier notifier;
    private final SessionConfig config;
    private final MeterRegistry metrics;

    Ownership(
            Database database,
            CommandRepository commands,
            Notifier notifier,
            SessionConfig config,
            MeterRegistry metrics) {
        this.database = database;
        this.commands = commands;
        this.notifier = notifier;
        this.config = config;
        this.metrics = metrics;
        for (CommandType type : CommandType.values()) {
            time(type.toString(), false);
            time(type.toString(), true);
        }
    }

    /**
     * Who may take sessions.
     *
     * @param servers those that may
     * @param turns which of them takes the next one, over and over
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

    /** Takes the next commands for what this server owns: from now on they are delivered. Empty when there are none. */
    public Uni<List<DeliveredCommand>> deliver(UUID server) {
        return commands.deliver(database, server, config.commandTimeout()).invoke(this::tell);
    }

    /** Says that this server has carried these out; emits those that were its own to carry out. */
    public Uni<List<DeliveredCommand>> applied(UUID server, Collection<UUID> carriedOut) {
        return commands.apply(database, server, carriedOut.toArray(UUID[]::new))
                .invoke(this::tell)
                .invoke(orders -> orders.forEach(this::measure));
    }

    /** Says that a command cannot be carried out. */
    public Uni<Void> reject(UUID server, UUID command, String why) {
        return commands.reject(database, server, command, why)
                .invoke(this::tell)
                .replaceWithVoid();
    }

    /** Ends the commands of ended sessions whose owner does not obey, or is gone: it loses them. Emits what was fenced. */
    public Uni<List<DeliveredCommand>> fenceCancelled() {
        return commands.fence(database, config.commandTimeout())
                .invoke(this::tell)
                .invoke(orders -> orders.forEach(this::measure));
    }

    /** Migrations that an owner has not carried out in time: anybody may. */
    public Uni<List<OpenMigration>> lateMigrations() {
        return commands.lateMigrations(database, config.commandTimeout());
    }

    /** A migration that has not been carried out. */
    public record OpenMigration(UUID command, UUID session, UUID target, UUID owner, String requires, boolean ended) {}

    private void tell(List<DeliveredCommand> orders) {
        if (!orders.isEmpty()) {
            notifier.appended();
        }
    }

    private void measure(DeliveredCommand order) {
        CommandView command = order.command();
        time(command.command(), command.fenced()).record(Duration.between(command.acceptedAt(), command.appliedAt()));
    }

    private Timer time(String command, boolean fenced) {
        return Timer.builder("sessions.command.time")
                .description("from a command's acceptance until the session's owner has carried it out")
                .tag("command", command)
                .tag("fenced", Boolean.toString(fenced))
                .register(metrics);
    }

    public Uni<Count> count(UUID server) {
        return database.row(OwnershipSql.COUNT, server)
                .map(row -> new Count(
                        row.getLong("sessions"),
                        row.getLong("running"),
                        row.getLong("commands"),
                        Duration.ofMillis(row.getLong("oldest"))));
    }

    /**
     * Asks a session's owner to hand it over, to the target or where placement says. No command if it is there already.
     *
     * @throws Problem {@code NOT_FOUND}; {@code CONFLICT} if it has ended, is hosted outside, or migrates already
     */
    public Uni<CommandOutcome> askToMigrate(Db db, UUID session, UUID target) {
        return commands.askToMigrate(db, session, Ids.next(), target)
                .onFailure(e -> ONE_MIGRATION.equals(Database.violatedConstraint(e)))
                .transform(
                        _ -> new Problem(ProblemType.CONFLICT, "The session is being migrated already").retryAfter(1))
                .map(asked -> judge(asked, target))
                .invoke(migration -> {
                    if (migration.command() != null) {
                        db.afterCommit(() ->
                                notifier.concerns(Set.of(migration.command().serverId())));
                    }
                });
    }

    private static CommandOutcome judge(CommandRepository.Asked asked, UUID target) {
        if (asked == null) {
            throw Problem.notFound("The session");
        }
        SessionView session = asked.session();
        if (asked.command() == null && !(target != null && target.equals(session.serverId()) && !session.terminal())) {
            throw WireEnum.is(Hosting.EXTERNAL, session.hosting()) && !session.terminal()
                    ? new Problem(ProblemType.CONFLICT, "The session is hosted outside: its own host decides where")
                    : SessionService.illegal(session.status(), "A session that is " + session.status() + " stays");
        }
        return new CommandOutcome(session, asked.command());
    }
}
