package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class EntityTagsTest {
    private static final String TAG = "\"v7\"";

    @ParameterizedTest
    @ValueSource(strings = {"\"v7\"", "W/\"v7\"", "*", " \"v7\" ", "\"v1\", \"v7\"", "\"v1\",W/\"v7\",\"v9\""})
    void ifNoneMatchNamesTheTag(String header) {
        assertThat(EntityTags.matches(header, TAG)).isTrue();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "v7", "\"v77\"", "\"V7\"", "\"v1\"", "w/\"v7\"", "\"v1\",\"v2\"", ","})
    void orItDoesNot(String header) {
        assertThat(EntityTags.matches(header, TAG)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"'\"v7\"', 7", "' \"v12\" ', 12", "'\"v999999999999999999\"', 999999999999999999"})
    void ifMatchExpectsAVersion(String header, long version) {
        assertThat(EntityTags.version(header)).isEqualTo(version);
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"*", " * "})
    void orAny(String header) {
        assertThat(EntityTags.version(header)).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "7",
                "v7",
                "\"7\"",
                "\"v-7\"",
                "\"v\"",
                "W/\"v7\"",
                "\"v1\", \"v7\"",
                "\"v9999999999999999999\""
            })
    void aTagThatCanNeverMatchIsStale(String header) {
        assertThatThrownBy(() -> EntityTags.version(header))
                .isInstanceOfSatisfying(
                        Problem.class, problem -> assertThat(problem.type()).isEqualTo(ProblemType.STALE_VERSION));
    }

    @Test
    void whatIsSentIsWhatIsUnderstood() {
        assertThat(EntityTags.version(TAG)).isEqualTo(7);
        assertThat(EntityTags.matches(TAG, TAG)).isTrue();
    }
}
