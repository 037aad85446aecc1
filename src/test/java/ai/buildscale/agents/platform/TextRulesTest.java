package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextRulesTest {
    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "a", "é", "\u0001", "\uD83D\uDE42", "a\uD83D\uDE42b\uDBFF\uDFFF", "\uFFFD", "\uFFFF"})
    void takesWhatUtf8CanSay(String text) {
        assertThatCode(() -> TextRules.check(text)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\0",
                "a\0b",
                "\uD83D",
                "\uDE42",
                "a\uD83D",
                "\uD83Da",
                "\uDE42\uD83D",
                "\uD83D\uD83D\uDE42",
                "\uD83D\uDE42\uDE42"
            })
    void refusesWhatItCannot(String text) {
        assertThatThrownBy(() -> TextRules.check(text))
                .isInstanceOfSatisfying(
                        Problem.class, problem -> assertThat(problem.type()).isEqualTo(ProblemType.VALIDATION_ERROR));
    }

    @Test
    void namesTheParameter() {
        assertThat(TextRules.parameter("reason", null, 3)).isNull();
        assertThat(TextRules.parameter("reason", "abc", 3)).isEqualTo("abc");
        assertThatThrownBy(() -> TextRules.parameter("reason", "abcd", 3))
                .hasMessage("reason must have at most 3 characters");
        assertThatThrownBy(() -> TextRules.parameter("reason", "a\0", 3))
                .hasMessage("reason must not contain NUL characters");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/",
                "/a?b=c",
                "/%41?%C3%A9=%F0%9F%99%82",
                "/a?b=%00",
                "/a?",
                "/a?&&b",
                "/a?b=c=%C3%A9",
                "/%2F%25"
            })
    void findsNothingWrongWithPercentEncodedUtf8(String uri) {
        assertThat(TextRules.unreadablePart(uri)).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "/%ff,                path",
        "/%C3,                path",
        "/%C0%80,             path",
        "/%ED%A0%80?a=b,      path",
        "/%F5%80%80%80,       path",
        "/%,                  path",
        "/%4,                 path",
        "/%zz,                path",
        "/a?b=%ff,            b",
        "/a?b=c&d=%C3&e=%ff,  d",
        "/a?b=%F0%9F%99,      b",
        "/a?%ff=b,            query",
        "/a?b%ED%A0%80,       query",
        "/a?b=%,              b"
    })
    void namesWhatIsNot(String uri, String part) {
        assertThat(TextRules.unreadablePart(uri)).isEqualTo(part);
    }
}
