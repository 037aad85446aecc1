package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class DatabaseUrlTest {
    private static final String REACTIVE = "quarkus.datasource.reactive.url";
    private static final String JDBC = "quarkus.datasource.jdbc.url";
    private static final String SQL = "quarkus.datasource.jdbc.new-connection-sql";
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
        "postgresql://[::1]:5433/d,  postgresql://[::1]:5433/d",
        "postgresql://my_db/d,       postgresql://my_db:5432/d",
        "postgresql://my_db_1.a:5/d, postgresql://my_db_1.a:5/d",
        "postgresql://h/a%20b,       postgresql://h:5432/a%20b",
        "postgresql://h/d?,          postgresql://h:5432/d"
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

    /** The configuration takes a dollar for the beginning of an expression. */
    @ParameterizedTest
    @ValueSource(strings = {"a$b", "a$$b", "${a}", "$", "a$$$b", "${a:b}"})
    void aPasswordMayHaveDollars(String password) {
        String encoded = URLEncoder.encode(password, StandardCharsets.UTF_8);
        SmallRyeConfig config = new SmallRyeConfigBuilder()
                .addDefaultInterceptors()
                .withSources(new DatabaseUrl("postgresql://u:" + encoded + "@h/d"))
                .build();

        assertThat(config.getValue(PASSWORD, String.class)).isEqualTo(password);
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

    @ParameterizedTest
    @ValueSource(
            strings = {
                "postgresql://u:secret@h1:5432,h2:5432/d",
                "postgresql://u:secret@h1,h2/d",
                "postgresql://u:secret@/d",
                "postgresql://u:secret@/d?host=/var/run/postgresql",
                "postgresql://u:secret@%2Fvar%2Frun%2Fpostgresql/d",
                "postgresql://u:secret@h:x/d",
                "postgresql://u:secret@h:/d",
                "postgresql://u:secret@h:70000/d",
                "postgresql://u:secret@[fe80::1%25eth0]/d",
                "postgresql://u:secret@::1/d",
                "postgresql://u:secret@h st/d",
                "postgresql://u:secret@-h/d",
                "postgresql://u:secret/d"
            })
    void saysThatTheHostIsTheTrouble(String url) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DatabaseUrl(url))
                .withMessageContaining("host")
                .withMessageNotContaining("secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "postgresql://u:se?cret@h/d",
                "postgresql://u:se/cret@h/d",
                "postgresql://u:se#cret@h/d",
                "postgresql://u:se%cret@h/d",
                "postgresql://u:se%zzcret@h/d",
                "postgresql://u:1?se=cret@h/d",
                "postgresql://u:1/se@h/d?cret=1",
                "postgresql://u:secret@h/a/b"
            })
    void neverShowsAnythingOfAPassword(String url) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DatabaseUrl(url))
                .withMessageStartingWith("DATABASE_URL ")
                .withMessageNotContaining("cret")
                .withNoCause();
    }

    @Test
    void theDatabaseIsCalledAsItsUser() {
        assertThat(new DatabaseUrl("postgresql://ann@h").getValue(REACTIVE)).isEqualTo("postgresql://h:5432/ann");
        assertThat(new DatabaseUrl("postgresql://ann@h/").getValue(REACTIVE)).isEqualTo("postgresql://h:5432/ann");
        assertThatIllegalArgumentException().isThrownBy(() -> new DatabaseUrl("postgresql://h/"));
    }

    @ParameterizedTest
    @CsvSource({
        "search_path=app,                        search_path, app",
        "currentSchema=app%2Cpublic,             search_path, 'app,public'",
        "'currentSchema=app,public',             search_path, 'app,public'",
        "schema=app,                             search_path, app",
        "schema=My-App,                          search_path, \"My-App\"",
        "options=-c%20search_path%3Dapp,         search_path, app",
        "options=-csearch_path%3Dapp,            search_path, app",
        "options=--search-path%3Dapp,            search_path, app",
        "options=-c%20search_path%3Da%2C%5C%20b, search_path, 'a, b'",
        "options=-c%20work_mem%3D8MB,            work_mem, 8MB",
        "search_path=o'neill,                    search_path, o''neill"
    })
    void settingsAreToldToBothDrivers(String parameter, String name, String value) {
        DatabaseUrl url = new DatabaseUrl("postgresql://h/d?" + parameter);

        assertThat(url.getValue(SQL)).isEqualTo("select set_config('" + name + "', '" + value + "', false)");
        assertThat(url.getValue(REACTIVE)).isEqualTo("postgresql://h:5432/d");
        assertThat(url.getValue(JDBC)).isEqualTo("jdbc:postgresql://h:5432/d");
    }

    @ParameterizedTest
    @CsvSource({
        "sslmode=require,                 sslmode=require,        sslmode=require",
        "application_name=a%20b,          application_name=a%20b, ApplicationName=a%20b",
        "ApplicationName=a,               application_name=a,     ApplicationName=a",
        "fallback_application_name=a,     application_name=a,     ApplicationName=a",
        "channel_binding=require,         '',                     channelBinding=require",
        "options=project%3Dx,             options=project%3Dx,    options=project%3Dx",
        "options=endpoint%3Dx%20-c%20a%3D1, options=endpoint%3Dx, options=endpoint%3Dx",
        "connect_timeout=10,              '',                     connectTimeout=10",
        "connect_timeout=0,               '',                     ''",
        "target_session_attrs=read-write, '',                     ''",
        "targetServerType=primary,        '',                     ''",
        "gssencmode=disable,              '',                     ''",
        "client_encoding=UTF8,            '',                     ''",
        "pgbouncer=false,                 '',                     ''",
        "keepalives_idle=30,              '',                     ''"
    })
    void parametersAreSaidInTheWordsOfBothDrivers(String parameter, String reactive, String jdbc) {
        DatabaseUrl url = new DatabaseUrl("postgresql://h/d?" + parameter);

        assertThat(url.getValue(REACTIVE))
                .isEqualTo("postgresql://h:5432/d" + (reactive.isEmpty() ? "" : "?" + reactive));
        assertThat(url.getValue(JDBC)).isEqualTo("jdbc:postgresql://h:5432/d" + (jdbc.isEmpty() ? "" : "?" + jdbc));
    }

    @ParameterizedTest
    @CsvSource({
        "searchpath,                 searchpath=app",
        "sslmode,                    sslmode=no-verify",
        "sslmode,                    sslmode=",
        "ssl,                        ssl=true",
        "sslrootcert,                sslrootcert=system",
        "sslcert,                    sslcert=/client.crt",
        "pgbouncer,                  pgbouncer=true",
        "connection_limit,           sslmode=require&connection_limit=1",
        "target_session_attrs,       target_session_attrs=standby",
        "targetServerType,           targetServerType=secondary",
        "gssencmode,                 gssencmode=require",
        "channel_binding,            channel_binding=maybe",
        "connect_timeout,            connect_timeout=soon",
        "client_encoding,            client_encoding=latin1",
        "options,                    options=-c%20nonsense",
        "host,                       host=h2",
        "statement_timeout,          statement_timeout=5s",
        "reWriteBatchedInserts,      reWriteBatchedInserts=true"
    })
    void refusesAParameterByItsName(String name, String parameters) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DatabaseUrl("postgresql://u:secret@h/d?" + parameters))
                .withMessageContaining("the parameter " + name + ",")
                .withMessageNotContaining("secret");
    }

    @Test
    void knowsWhatHostersGive() {
        DatabaseUrl neon = new DatabaseUrl("postgresql://neondb_owner:npg_x@ep-cool-1.eu-central-1.aws.neon.tech/neondb"
                + "?sslmode=require&channel_binding=require&options=endpoint%3Dep-cool-1");
        assertThat(neon.getValue(REACTIVE))
                .isEqualTo("postgresql://ep-cool-1.eu-central-1.aws.neon.tech:5432/neondb"
                        + "?sslmode=require&options=endpoint%3Dep-cool-1");

        DatabaseUrl rds = new DatabaseUrl("postgres://u:p@db.x.eu-west-1.rds.amazonaws.com:5432/d"
                + "?sslmode=verify-full&sslrootcert=/certs/global-bundle.pem");
        assertThat(rds.getValue(JDBC)).endsWith("/d?sslmode=verify-full&sslrootcert=%2Fcerts%2Fglobal-bundle.pem");
        assertThat(rds.getValue("quarkus.datasource.reactive.trust-certificate-pem.certs"))
                .isEqualTo("/certs/global-bundle.pem");
        assertThat(rds.getValue("quarkus.datasource.reactive.hostname-verification-algorithm"))
                .isEqualTo("HTTPS");

        DatabaseUrl jdbc = new DatabaseUrl("postgresql://h/d?user=u&password=p%26q&connect_timeout=10");
        assertThat(jdbc.getValue(USER)).isEqualTo("u");
        assertThat(jdbc.getValue(PASSWORD)).isEqualTo("p&q");
        assertThat(jdbc.getValue("database.connect-timeout")).isEqualTo("10S");
    }

    @Test
    void liesBetweenTheFileAndTheEnvironment() {
        assertThat(new DatabaseUrl("").getOrdinal()).isBetween(251, 299);
    }
}
