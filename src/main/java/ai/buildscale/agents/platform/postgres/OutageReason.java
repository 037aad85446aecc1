package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.WireEnum;
import io.vertx.pgclient.PgException;
import java.util.concurrent.TimeoutException;

/**
 * The reason why the database does not serve, in the few words that operators see it by; the log has the whole of it.
 */
enum OutageReason {
    /** It cannot be reached, or the connection broke. */
    CONNECTION,
    /** It did not answer in time. */
    TIMEOUT,
    /** No connection of this server's pool became free in time. */
    POOL,
    /** It has no room: connections, disk or memory (SQLSTATE class 53). */
    FULL,
    /** It does not take this service's name or password (class 28). */
    REFUSED,
    /** It starts, stops, or was told to end the connection (class 57). */
    STOPPING,
    /** It takes no writes: a standby. */
    READ_ONLY,
    /** Transactions met, again and again. */
    CONTENTION,
    /** Its system fails (class 58). */
    BROKEN;

    private static final String READ_ONLY_TRANSACTION = "25006";
    private static final String QUERY_CANCELED = "57014";

    /** Of what {@link Database} takes for a database that is away, or for contention. */
    static OutageReason of(Throwable failure) {
        if (Database.isContention(failure)) {
            return CONTENTION;
        }
        if (failure instanceof PgException pg && pg.getSqlState() != null) {
            OutageReason outage = ofState(pg.getSqlState());
            return outage == null ? CONNECTION : outage;
        }
        if (failure instanceof TimeoutException || failure instanceof io.smallrye.mutiny.TimeoutException) {
            return TIMEOUT;
        }
        if (Database.isPoolTimeout(failure)) {
            return POOL;
        }
        return failure.getCause() == null ? CONNECTION : of(failure.getCause());
    }

    /** Null for a state in which it does serve. */
    static OutageReason ofState(String state) {
        return switch (state) {
            case QUERY_CANCELED -> TIMEOUT;
            case READ_ONLY_TRANSACTION -> READ_ONLY;
            default ->
                switch (state.substring(0, 2)) {
                    case "08" -> CONNECTION;
                    case "28" -> REFUSED;
                    case "53" -> FULL;
                    case "57" -> STOPPING;
                    case "58" -> BROKEN;
                    default -> null;
                };
        };
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
