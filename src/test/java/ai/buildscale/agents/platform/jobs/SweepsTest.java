package ai.buildscale.agents.platform.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepsTest {
    /** One that runs each minute is a minute old whenever it begins: that is not behind. */
    @ParameterizedTest
    @CsvSource({"0, false", "61, false", "90, false", "91, true", "3600, true"})
    void isBehindWhenItsEndIsOverdue(long secondsOld, boolean behind) {
        Sweeps.Age age = new Sweeps.Age(Duration.ofSeconds(secondsOld), Duration.ofSeconds(60));

        assertThat(age.isBehind(Duration.ofSeconds(30))).isEqualTo(behind);
    }
}
