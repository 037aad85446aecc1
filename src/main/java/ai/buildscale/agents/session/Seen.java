package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.workspace.Permission;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.StreamSupport;

/**
 * A statement's result on a session with the caller's permission as of the same snapshot.
 *
 * @param permission null for nothing
 */
record Seen<T>(Permission permission, T found) {
    /**
     * A statement that reads the permission, and the rows that hang on the session {@code s}, of its {@code id} and {@code
     * chat_id}: one row without these where there are none or the caller may not read them, and none for no session. $1 id,
     * $2 caller (null: one who may everything).
     *
     * @param rows the statement that reads these, as a lateral
     */
    static String of(String rows) {
        return SqlText.fill("""
            with seen as materialized (
                select s.id, s.chat_id, {permission} as permission from agent_sessions s where s.id = $1)
            select seen.permission, e.*
            from seen
            left join (
                seen s cross join lateral (
            {rows}) e) on s.permission is not null""", "permission", Permission.sql("$2"), "rows", rows);
    }

    /** Reads the rows of {@link #of}; null if there is no session. */
    static <T> Seen<List<T>> all(RowSet<Row> rows, Function<Row, T> read) {
        return rows.size() == 0
                ? null
                : new Seen<>(
                        Permission.of(rows.iterator().next().getString(0)),
                        StreamSupport.stream(rows.spliterator(), false)
                                .map(read)
                                .filter(Objects::nonNull)
                                .toList());
    }

    /**
     * What was found, for a caller who may do that.
     *
     * @param seen null for no session
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    static <T> T judge(Seen<T> seen, Permission needed) {
        if (seen == null) {
            throw Problem.notFound("The session");
        }
        Permission.require(seen.permission(), needed);
        return seen.found();
    }
}
