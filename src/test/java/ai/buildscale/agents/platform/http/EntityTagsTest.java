package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class EntityTagsTest {
    private static final String TAG = "\"v7\"";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"v7\"",
                "W/\"v7\"",
                "*",
                " * ",
                " \"v7\" ",
                "\"v1\", \"v7\"",
                "\"v1\",W/\"v7\",\"v9\"",
                ", \"v7\" ,,",
                "\"a,b\", \"v7\""
            })
    void ifNoneMatchNamesTheTag(String header) {
        assertThat(EntityTags.matches(header, TAG)).isTrue();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(
            strings = {
                "",
                "v7",
                "\"v77\"",
                "\"V7\"",
                "\"v1\"",
                "w/\"v7\"",
                "W/ \"v7\"",
                "\"v1\",\"v2\"",
                ",",
                "\"v1\" \"v7\"",
                "\"v7",
                "\"v1, v7\"",
                "\"*\""
            })
    void orItDoesNot(String header) {
        assertThat(EntityTags.matches(header, TAG)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "'\"v7\"', 7",
        "' \"v12\" ', 12",
        "'W/\"v7\"', 7",
        "'\"v999999999999999999\"', 999999999999999999",
        "'\"other\", \"v7\"', 7",
        "',\"v7\",', 7"
    })
    void ifMatchExpectsAVersion(String header, long version) {
        assertThat(EntityTags.versions(header)).containsExactly(version);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"v1\", \"v7\"", "W/\"v1\",W/\"v7\"", "\"v1\" , W/\"v7\", \"a,v3\""})
    void orOneOfMany(String header) {
        assertThat(EntityTags.versions(header)).containsExactly(1L, 7L);
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"*", " * "})
    void orAny(String header) {
        assertThat(EntityTags.versions(header)).isNull();
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
                "\"v7",
                "v7\"",
                "w/\"v7\"",
                "W/v7",
                "W/ \"v7\"",
                "\"v1\" \"v7\"",
                "\"v1\", v7",
                "\"v7\", *",
                "**",
                ",",
                "\"v9999999999999999999\""
            })
    void aTagThatCanNeverMatchIsStale(String header) {
        assertThatThrownBy(() -> EntityTags.versions(header)).isInstanceOfSatisfying(Problem.class, problem -> {
            assertThat(problem.type()).isEqualTo(ProblemType.STALE_VERSION);
            assertThat(problem.document("/").get("fields")).asString().contains("If-Match=must ");
        });
    }

    @Test
    void whatIsSentIsWhatIsUnderstood() {
        assertThat(EntityTags.versions(TAG)).containsExactly(7L);
        assertThat(EntityTags.matches(TAG, TAG)).isTrue();
    }
}
