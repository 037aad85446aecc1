package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.config.EnvConfigSource;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CapitalPropertiesTest {
    private static Properties properties(String... namesAndValues) {
        Properties properties = new Properties();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            properties.setProperty(namesAndValues[i], namesAndValues[i + 1]);
        }
        return properties;
    }

    @Test
    void aNameInCapitalsIsTheSettingThatItsVariableWouldBe() {
        CapitalProperties source = new CapitalProperties(
                properties("JWT_GROUPS_CLAIM", "roles", "SESSIONS_STALE_THRESHOLD", "9S", "java.version", "25"));

        assertThat(source.getValue("jwt.groups-claim")).isEqualTo("roles");
        assertThat(source.getValue("sessions.stale-threshold")).isEqualTo("9S");
        assertThat(source.getValue("JWT_GROUPS_CLAIM")).isEqualTo("roles");
        assertThat(source.getValue("java.version")).isNull();
        assertThat(source.getName()).startsWith(EnvConfigSource.NAME);
    }

    @Test
    void aSystemPropertyGoesBeforeAVariable() {
        SmallRyeConfig config = new SmallRyeConfigBuilder()
                .withSources(new CapitalProperties(properties("JWT_USER_ID", "derived")))
                .withSources(new EnvConfigSource(Map.of("JWT_USER_ID", "claim", "JWT_USER_ID_CLAIM", "oid"), 300))
                .withSources(new PropertiesConfigSource(Map.of("jwt.user-id", "uuid"), "file", 250))
                .build();

        assertThat(config.getValue("jwt.user-id", String.class)).isEqualTo("derived");
        assertThat(config.getValue("jwt.user-id-claim", String.class)).isEqualTo("oid");
    }

    @ParameterizedTest
    @CsvSource({
        "a.url=1, A_URL=2, A_URL=3, 1",
        "b.url=1, A_URL=2, A_URL=3, 2",
        "b.url=1, B_URL=2, A_URL=3, 3",
        "b.url=1, B_URL=2, B_URL=3, "
    })
    void isFoundInAnySpelling(String dotted, String capitals, String variable, String expected) {
        Properties properties = properties((dotted + "=" + capitals).split("=", -1));
        String[] environment = variable.split("=", -1);

        assertThat(CapitalProperties.find(
                        "a.url", properties, name -> name.equals(environment[0]) ? environment[1] : null))
                .isEqualTo(expected);
    }
}
