package ai.buildscale.agents.engine.llm.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProviderErrorsTest {
    private static final String DATE = "Mon, 04 May 2026 03:02:01 GMT";

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    0                              | PT0S
                    20                             | PT20S
                    Mon, 04 May 2026 03:02:31 GMT  | PT30S
                    Mon, 04 May 2026 03:00:00 GMT  | PT0S
                    soon                           |
                    -5                             |
                    99999999999999999999           |
                                                   |""")
    void readsRetryAfter(String header, Duration wait) {
        assertThat(ProviderErrors.retryAfter(header, DATE)).isEqualTo(wait);
    }
}
