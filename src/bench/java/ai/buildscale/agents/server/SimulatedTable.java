package ai.buildscale.agents.server;

import ai.buildscale.agents.bench.simulation.Sessions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** The fleet's table as Postgres has it: a row for each member, for those that are gone too. */
final class SimulatedTable {
    private static final long NEVER = -1;

    /** What {@code servers} and {@code pg_locks} say of a member; times are the database's, in nanoseconds. */
    static final class Row {
        final UUID id;
        /** By which {@link Sessions} knows it. */
        final int number;

        long renewedAt;
        long countedAt;
        long sessions;
        double load;
        boolean watched;
        boolean present;
        long lostAt = NEVER;

        Row(UUID id, int number) {
            this.id = id;
            this.number = number;
        }

        boolean isLost() {
            return lostAt != NEVER;
        }
    }

    private final Sessions sessions;
    private final ServerConfig config;
    private final List<Row> rows = new ArrayList<>();
    private final Map<UUID, Row> byId = new HashMap<>();

    SimulatedTable(Sessions sessions, ServerConfig config) {
        this.sessions = sessions;
        this.config = config;
    }

    Row add(UUID id, long now) {
        Row row = new Row(id, rows.size());
        row.renewedAt = now;
        row.countedAt = now;
        rows.add(row);
        byId.put(id, row);
        sessions.addMember();
        return row;
    }

    Row get(UUID id) {
        return byId.get(id);
    }

    List<Row> rows() {
        return rows;
    }

    /** What a look at the fleet reads. */
    List<Member> members(long now) {
        List<Member> members = new ArrayList<>(rows.size());
        for (Row row : rows) {
            members.add(member(row, now));
        }
        return members;
    }

    private Member member(Row row, long now) {
        return new Member(
                row.id,
                "",
                null,
                (row.isLost() ? ServerState.GONE : ServerState.ACTIVE).toString(),
                null,
                null,
                null,
                null,
                config.capacity(),
                Map.of(),
                row.sessions,
                row.load,
                "",
                Duration.ofNanos(now - row.countedAt),
                Duration.ofNanos(now - row.renewedAt),
                row.watched && !row.present,
                row.isLost() && sessions.count(row.number) > 0,
                false,
                null);
    }

    /** Who may be given sessions, as the statement that hands them over finds it. */
    boolean isFit(UUID id, Duration lostAfter, long now) {
        Row row = byId.get(id);
        return !row.isLost() && now - row.renewedAt < lostAfter.toNanos();
    }
}
