package ai.buildscale.agents.platform.postgres;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import java.util.function.Function;

/** Runs statements: each by itself, or all in one transaction ({@link Database#inTransaction}). */
public interface Db {
    /** Runs one prepared statement. Fails with {@code UNAVAILABLE} when Postgres does not answer in time. */
    Uni<RowSet<Row>> rows(String sql, Object... arguments);

    /** The first row, or null. */
    default Uni<Row> row(String sql, Object... arguments) {
        return rows(sql, arguments)
                .map(rows -> rows.size() == 0 ? null : rows.iterator().next());
    }

    /** Runs the work in one transaction: this one, if it is one. It may run more than once. */
    <T> Uni<T> atomically(Function<Db, Uni<T>> work);

    /** Runs the action once what this has written is committed; never if it is rolled back. */
    void afterCommit(Runnable action);
}
