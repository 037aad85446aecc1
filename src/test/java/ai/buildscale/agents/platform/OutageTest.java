package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.VertxException;
import io.vertx.core.impl.NoStackTraceThrowable;
import io.vertx.pgclient.PgException;
import io.vertx.sqlclient.ClosedConnectionException;
import java.net.ConnectException;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OutageTest {
    @ParameterizedTest
    @CsvSource({
        "08006, connection",
        "08001, connection",
        "25006, read_only",
        "40001, contention",
        "40P01, contention",
        "53300, full",
        "53100, full",
        "57014, timeout",
        "57P01, stopping",
        "57P03, stopping",
        "58030, broken"
    })
    void tellsStatesOfPostgresApart(String state, String outage) {
        assertThat(Outage.of(new PgException("message", "FATAL", state, null))).hasToString(outage);
    }

    @Test
    void tellsWhatTheDriverSaysApart() {
        assertThat(Outage.of(new ConnectException("refused"))).isEqualTo(Outage.CONNECTION);
        assertThat(Outage.of(ClosedConnectionException.INSTANCE)).isEqualTo(Outage.CONNECTION);
        assertThat(Outage.of(new TimeoutException())).isEqualTo(Outage.TIMEOUT);
        assertThat(Outage.of(new io.smallrye.mutiny.TimeoutException())).isEqualTo(Outage.TIMEOUT);
        assertThat(Outage.of(new NoStackTraceThrowable("Timeout"))).isEqualTo(Outage.POOL);
        assertThat(Outage.of(new VertxException("Timeout waiting for connection", true)))
                .isEqualTo(Outage.POOL);
    }

    @Test
    void looksForTheCause() {
        assertThat(Outage.of(new IllegalStateException(new PgException("message", "FATAL", "53300", null))))
                .isEqualTo(Outage.FULL);
    }
}
