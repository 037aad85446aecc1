package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class DatabaseUrlTest {
    private static final String REACTIVE = "quarkus.datasource.reactive.url";
    private static final String JDBC = "quarkus.datasource.jdbc.url";
    private static final String USER = "quarkus.datasource.username";
    private static final String PASSWORD = "quarkus.datasource.password";

    @Test
    void namesBothWaysToTheDatabase() {
        DatabaseUrl url = new DatabaseUrl("postgresql://agents:secret@db.example:6432/sessions?sslmode=require");

        assertThat(url.getValue(REACTIVE)).isEqualTo("postgresql://db.example:6432/sessions?sslmode=require");
        assertThat(url.getValue(JDBC)).isEqualTo("jdbc:postgresql://db.example:6432/sessions?sslmode=require");
        assertThat(url.getValue(USER)).isEqualTo("agents");
        assertThat(url.getValue(PASSWORD)).isEqualTo("secret");
        assertThat(url.getPropertyNames()).containsExactlyInAnyOrder(REACTIVE, JDBC, USER, PASSWORD);
        assertThat(url.getValue("another.property")).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "postgres://h/d,             postgresql://h:5432/d",
        "postgresql://h/d,           postgresql://h:5432/d",
        "' postgresql://h:1/d ',     postgresql://h:1/d",
        "postgresql://127.0.0.1/d,   postgresql://127.0.0.1:5432/d",
        "postgresql://[::1]:5433/d,  postgresql://[::1]:5433/d"
    })
    void knowsTheUsualSpellings(String given, String place) {
        DatabaseUrl url = new DatabaseUrl(given);

        assertThat(url.getValue(REACTIVE)).isEqualTo(place);
        assertThat(url.getValue(JDBC)).isEqualTo("jdbc:" + place);
        assertThat(url.getPropertyNames()).doesNotContain(USER, PASSWORD);
    }

    @ParameterizedTest
    @CsvSource({
        "a:b@,      a,   b",
        "a%40b:c@,  a@b, c",
        "a:p%3Aq@,  a,   p:q",
        "a:p:q@,    a,   p:q",
        "a:p%2Fq@,  a,   p/q",
        "a:p+q@,    a,   p+q",
        "a:p%2Bq@,  a,   p+q",
        "a:%C3%A9@, a,   é"
    })
    void decodesUserAndPassword(String userInfo, String user, String password) {
        DatabaseUrl url = new DatabaseUrl("postgresql://" + userInfo + "h/d");

        assertThat(url.getValue(USER)).isEqualTo(user);
        assertThat(url.getValue(PASSWORD)).isEqualTo(password);
    }

    @Test
    void aUserMayHaveNoPassword() {
        DatabaseUrl url = new DatabaseUrl("postgresql://alice@h/d");

        assertThat(url.getValue(USER)).isEqualTo("alice");
        assertThat(url.getPropertyNames()).doesNotContain(PASSWORD);
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", " ", "\n"})
    void isNothingWhereThereIsNone(String none) {
        assertThat(new DatabaseUrl(none).getPropertyNames()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"mysql://h/d", "h:5432/d", "postgresql:///d", "/var/run/postgresql", "postgresql"})
    void refusesWhatItCannotRead(String url) {
        assertThatIllegalArgumentException().isThrownBy(() -> new DatabaseUrl(url));
    }

    @Test
    void liesBetweenTheFileAndTheEnvironment() {
        assertThat(new DatabaseUrl("").getOrdinal()).isBetween(251, 299);
    }
}
