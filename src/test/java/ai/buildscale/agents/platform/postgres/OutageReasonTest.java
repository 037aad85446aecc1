package ai.buildscale.agents.platform.postgres;

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

class OutageReasonTest {
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
        assertThat(OutageReason.of(new PgException("message", "FATAL", state, null)))
                .hasToString(outage);
    }

    @Test
    void tellsWhatTheDriverSaysApart() {
        assertThat(OutageReason.of(new ConnectException("refused"))).isEqualTo(OutageReason.CONNECTION);
        assertThat(OutageReason.of(ClosedConnectionException.INSTANCE)).isEqualTo(OutageReason.CONNECTION);
        assertThat(OutageReason.of(new TimeoutException())).isEqualTo(OutageReason.TIMEOUT);
        assertThat(OutageReason.of(new io.smallrye.mutiny.TimeoutException())).isEqualTo(OutageReason.TIMEOUT);
        assertThat(OutageReason.of(new NoStackTraceThrowable("Timeout"))).isEqualTo(OutageReason.POOL);
        assertThat(OutageReason.of(new VertxException("Timeout waiting for connection", true)))
                .isEqualTo(OutageReason.POOL);
    }

    @Test
    void looksForTheCause() {
        assertThat(OutageReason.of(new IllegalStateException(new PgException("message", "FATAL", "53300", null))))
                .isEqualTo(OutageReason.FULL);
    }
}
