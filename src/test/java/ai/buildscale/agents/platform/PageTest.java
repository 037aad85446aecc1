package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.problem.Problem;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageTest {
    @Test
    void beginsAtTheNewestWithAUsualLimit() {
        assertThat(Page.of(null, null)).isEqualTo(new Page(50, null));
    }

    @Test
    void goesOnWhereTheCursorSays() {
        UUID id = UUID.fromString("0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d");
        String cursor = Page.cursorAfter(id);

        assertThat(cursor).matches("[A-Za-z0-9_-]{22}").doesNotContain(id.toString());
        assertThat(Page.of(10, cursor)).isEqualTo(new Page(10, id));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 50, 500})
    void takesLimits(int limit) {
        assertThat(Page.of(limit, null).limit()).isEqualTo(limit);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 501, Integer.MAX_VALUE, Integer.MIN_VALUE})
    void refusesOthers(int limit) {
        assertThatThrownBy(() -> Page.of(limit, null))
                .isInstanceOfSatisfying(
                        Problem.class,
                        problem -> assertThat(problem.document("/"))
                                .extractingByKey("fields")
                                .asString()
                                .contains("limit"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "garbage",
                "AAAA",
                "AAAAAAAAAAAAAAAAAAAAAAAA",
                "****************",
                "AAAAAAAAAAAAAAAAAAAAAA=="
            })
    void refusesCursorsOfItsOwnMaking(String cursor) {
        assertThatThrownBy(() -> Page.of(null, cursor))
                .isInstanceOfSatisfying(
                        Problem.class,
                        problem -> assertThat(problem.document("/"))
                                .extractingByKey("fields")
                                .asString()
                                .contains("cursor"));
    }
}
