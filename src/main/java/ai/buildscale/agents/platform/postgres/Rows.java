package ai.buildscale.agents.platform.postgres;

import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Reads result sets. */
public final class Rows {
    private Rows() {}

    public static <T> List<T> map(RowSet<Row> rows, Function<Row, T> mapper) {
        List<T> mapped = new ArrayList<>(rows.size());
        for (Row row : rows) {
            mapped.add(mapper.apply(row));
        }
        return mapped;
    }

    /** A {@code timestamptz}, null stays null. */
    public static Instant instant(Row row, String column) {
        return toInstant(row.getOffsetDateTime(column));
    }

    /** The same by the column's place, from 0. */
    public static Instant instant(Row row, int column) {
        return toInstant(row.getOffsetDateTime(column));
    }

    private static Instant toInstant(OffsetDateTime time) {
        return time == null ? null : time.toInstant();
    }
}
