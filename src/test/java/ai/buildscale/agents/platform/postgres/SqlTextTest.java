package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SqlTextTest {
    @Test
    void eachPlaceGetsItsPart() {
        assertThat(SqlText.fill(
                        "select {view} from t where {of_whom} order by {view}", "view", "a", "of_whom", "b = $1"))
                .isEqualTo("select a from t where b = $1 order by a");
    }

    @Test
    void aPartIsTakenAsItIs() {
        assertThat(SqlText.fill("select {value}", "value", "'$1 \\ {value}'")).isEqualTo("select '$1 \\ {value}'");
    }

    @Test
    void aPlaceThatIsNotNamedStays() {
        assertThat(SqlText.fill("select '{a,b}', {a} limit {batch}", "a", "1"))
                .isEqualTo("select '{a,b}', 1 limit {batch}");
    }

    @Test
    void aNameWithoutAPlaceIsAMistake() {
        assertThatThrownBy(() -> SqlText.fill("select {view}", "view", "a", "vew", "b"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vew");
    }

    @Test
    void aNameGivenTwiceIsAMistake() {
        assertThatThrownBy(() -> SqlText.fill("select {view}", "view", "a", "view", "b"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("twice");
    }
}
