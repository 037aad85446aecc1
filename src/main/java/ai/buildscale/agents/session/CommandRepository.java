package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.workspace.Permission;
import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.quarkus.panache.common.Sort;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/** Runs {@link CommandSql} and reads its rows; lists commands as entities. */
@ApplicationScoped
class CommandRepository implements PanacheRepositoryBase<CommandRecord, UUID> {
    private static final int MOST_SHOWN = 200;

    /**
     * A session that was asked to migrate.
     *
     * @param command null if it was not, because it has ended, is hosted outside, or is there already
     */
    record Asked(SessionView session, CommandView command) {}

    /**
     * Emits null if there is no such session, nothing seen if there is no such command, or the caller may not see it.
     *
     * @param caller null for one who may everything
     */
    Uni<Seen<CommandView>> find(Db db, UUID session, UUID caller, UUID command) {
        return db.row(CommandSql.GET, session, caller, command)
                .map(row -> row == null ? null : new Seen<>(Permission.of(row.getString(0)), view(row, 1)));
    }

    /** The session's newest commands, newest first. */
    Uni<List<CommandRecord>> ofSession(UUID session) {
        return find("sessionId", Sort.by("acceptedAt", "id").descending(), session)
                .range(0, MOST_SHOWN - 1)
                .list();
    }

    Uni<Set<UUID>> applied(Db db, Set<UUID> commands) {
        return db.rows(CommandSql.APPLIED, (Object) commands.toArray(UUID[]::new))
                .map(rows -> Rows.map(rows, row -> row.getUUID(0)).stream().collect(Collectors.toSet()));
    }

    /** Emits null if there is no such session. */
    Uni<Asked> askToMigrate(Db db, UUID session, UUID command, UUID target) {
        return db.row(CommandSql.ASK_TO_MIGRATE, session, command, target, Traces.current())
                .map(row -> row == null
                        ? null
                        : new Asked(SessionRepository.view(row, 0), view(row, SessionRepository.VIEW_COLUMNS)));
    }

    Uni<List<DeliveredCommand>> deliver(Db db, UUID server, Duration again) {
        return db.rows(CommandSql.DELIVER, server, CommandSql.BATCH, again.toMillis())
                .map(CommandRepository::delivered);
    }

    Uni<List<DeliveredCommand>> apply(Db db, UUID server, UUID[] commands) {
        return db.rows(CommandSql.APPLY, server, CommandSql.BATCH, commands).map(CommandRepository::delivered);
    }

    Uni<List<DeliveredCommand>> reject(Db db, UUID server, UUID command, String why) {
        return db.rows(CommandSql.REJECT, server, 1, new UUID[] {command}, why).map(CommandRepository::delivered);
    }

    Uni<List<DeliveredCommand>> fence(Db db, Duration timeout) {
        return db.rows(CommandSql.FENCE, null, CommandSql.BATCH, timeout.toMillis())
                .map(CommandRepository::delivered);
    }

    Uni<List<CommandQueue.OpenMigration>> lateMigrations(Db db, Duration timeout) {
        return db.rows(CommandSql.LATE_MIGRATIONS, timeout.toMillis())
                .map(rows -> Rows.map(
                        rows,
                        row -> new CommandQueue.OpenMigration(
                                row.getUUID(0),
                                row.getUUID(1),
                                row.getUUID(2),
                                row.getUUID(3),
                                row.getString(4),
                                row.getBoolean(5))));
    }

    private static List<DeliveredCommand> delivered(Iterable<Row> rows) {
        List<DeliveredCommand> commands = new ArrayList<>();
        for (Row row : rows) {
            commands.add(new DeliveredCommand(
                    view(row, 0),
                    row.getString("requires"),
                    row.getBoolean("ended"),
                    row.getUUID("meant"),
                    row.getString("traceparent")));
        }
        return commands;
    }

    /** Reads {@code CommandSql.VIEW}, which begins at the column {@code at}; null if there is none. */
    static CommandView view(Row row, int at) {
        UUID id = row.getUUID(at);
        if (id == null) {
            return null;
        }
        String rejected = row.getString(at + 10);
        CommandState state =
                CommandState.of(row.getValue(at + 7) != null, row.getValue(at + 8) != null, rejected != null);
        return new CommandView(
                id,
                row.getUUID(at + 1),
                row.getString(at + 2),
                state,
                Rows.instant(row, at + 6),
                Rows.instant(row, at + 7),
                Rows.instant(row, at + 8),
                row.getUUID(at + 3),
                row.getLong(at + 4),
                row.getUUID(at + 5),
                row.getBoolean(at + 9),
                rejected);
    }
}
