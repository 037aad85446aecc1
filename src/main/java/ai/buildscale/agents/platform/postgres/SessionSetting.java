package ai.buildscale.agents.platform.postgres;

import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A setting of a connection to Postgres, made by SQL. */
final class SessionSetting {
    private SessionSetting() {}

    /** A column of a {@code select} that makes it, for as long as the connection lives. */
    static String call(String name, String value) {
        return "set_config(" + literal(name) + ", " + literal(value) + ", false)";
    }

    /** One that makes them all. */
    static String statement(Stream<String> columns) {
        return columns.collect(Collectors.joining(", ", "select ", ""));
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
