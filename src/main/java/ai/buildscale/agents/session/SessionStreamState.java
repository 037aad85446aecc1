package ai.buildscale.agents.session;

import ai.buildscale.agents.event.SnapshotSource;
import ai.buildscale.agents.event.Topic;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Rows;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/** Reads the snapshot of a stream of sessions: a chat's newest session, or the live ones of a workspace. */
@ApplicationScoped
class SessionStreamState implements SnapshotSource {
    private final Database database;
    private final ObjectMapper json;

    SessionStreamState(Database database, ObjectMapper json) {
        this.database = database;
        this.json = json;
    }

    /**
     * The snapshot event's data.
     *
     * @param position the event's own id
     * @param sessions the newest live ones, at most {@link SessionSql#MAX_SNAPSHOT}
     * @param nextCursor where the list of sessions goes on, or null if these are all
     */
    @RegisterForReflection
    record Snapshot(long position, List<SessionView> sessions, String nextCursor) {}

    @Override
    public Uni<State> of(Topic topic, boolean full) {
        return database.rows(SessionSql.STATE, topic.workspaceId(), topic.chatId(), full)
                .map(rows -> state(topic, full, rows));
    }

    private State state(Topic topic, boolean full, RowSet<Row> rows) {
        Row first = rows.iterator().next();
        long position = first.getLong(0);
        Set<Long> seen = Set.of(first.getArrayOfLongs(1));
        List<SessionView> sessions =
                Rows.map(rows, row -> row.getUUID(3) == null ? null : SessionRepository.view(row, 3)).stream()
                        .filter(Objects::nonNull)
                        .toList();
        boolean lasting = topic.chatId() == null || first.getBoolean(2);
        boolean over = !lasting
                && !sessions.isEmpty()
                && sessions.getFirst().terminal()
                && first.getInteger("open_commands") == 0;
        return new State(
                position,
                seen,
                lasting || !sessions.isEmpty(),
                !lasting,
                over,
                full ? write(snapshot(position, sessions)) : null);
    }

    private static Snapshot snapshot(long position, List<SessionView> sessions) {
        if (sessions.size() <= SessionSql.MAX_SNAPSHOT) {
            return new Snapshot(position, sessions, null);
        }
        List<SessionView> newest = sessions.subList(0, SessionSql.MAX_SNAPSHOT);
        return new Snapshot(position, newest, Page.cursorAfter(newest.getLast().id()));
    }

    private String write(Snapshot snapshot) {
        try {
            return json.writeValueAsString(snapshot);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
