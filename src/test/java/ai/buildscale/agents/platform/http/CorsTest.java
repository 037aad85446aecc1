package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CorsTest {
    private static Cors of(String... configured) {
        return new Cors(Optional.of(List.of(configured)));
    }

    @ParameterizedTest
    @CsvSource({
        "https://app.example,        https://app.example",
        "https://app.example/,       https://app.example",
        "HTTPS://App.Example,        https://app.example",
        "https://app.example:443,    https://app.example",
        "http://localhost:80,        http://localhost",
        "http://localhost:3000,      http://localhost:3000",
        "http://[::1]:3000,          http://[::1]:3000",
        "capacitor://localhost,      capacitor://localhost",
        "null,                       null"
    })
    void takesAnOriginAsBrowsersWriteIt(String configured, String sent) {
        assertThat(of(configured).isAllowed(sent)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://app.example",
                "https://app.example:8443",
                "https://app.example.evil.example",
                "https://evil-app.example",
                "https://app.example/",
                "https://a.preview.example.evil.example",
                "null",
                "",
                "*"
            })
    void allowsNoOtherOrigin(String sent) {
        Cors cors = of("https://app.example", "/https://[a-z]+\\.preview\\.example/");

        assertThat(cors.isAllowed(sent)).isFalse();
        assertThat(cors.isAllowed("https://app.example")).isTrue();
        assertThat(cors.isAllowed("https://branch.preview.example")).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "app.example",
                "https://app.example/path",
                "https://*.example/x",
                "https://",
                "https://user@app.example",
                "https://app.example:port",
                "/[/"
            })
    void refusesWhatIsNoOriginByItsName(String configured) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> of("https://fine.example", configured))
                .withMessageContaining("CORS_ORIGINS")
                .withMessageContaining(configured);
    }

    @Test
    void anyOriginIsAllowedByAStar() {
        assertThat(of("*").isAllowed("https://anything.example")).isTrue();
    }

    /** Caches need to keep answers apart only then. */
    @Test
    void theOriginDecidesWhereSomeAreAllowed() {
        assertThat(of("https://app.example").isOriginDecisive()).isTrue();
        assertThat(of("/.+/").isOriginDecisive()).isTrue();
        assertThat(of("*").isOriginDecisive()).isFalse();
        assertThat(of("https://app.example", "*").isOriginDecisive()).isFalse();
        assertThat(of("", " ").isOriginDecisive()).isFalse();
        assertThat(new Cors(Optional.empty()).isOriginDecisive()).isFalse();
    }
}
