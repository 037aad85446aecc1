package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.deploy.NginxConf.Directive;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Three servers behind nginx on one machine: each file by itself, and both together. */
class ComposeTest {
    private static final Path FOLDER = Path.of("deploy/compose");
    private static final Compose COMPOSE = Yaml.read(Compose.class, FOLDER.resolve("compose.yaml"));
    private static final Directive NGINX = NginxConf.parse(Yaml.text(FOLDER.resolve("nginx.conf")));
    private static final Directive API = location("/api/");

    private static Directive location(String path) {
        return NGINX.at("http", "server")
                .all("location")
                .filter(one -> one.value().equals(path))
                .findFirst()
                .orElseThrow();
    }

    private static Map<String, Compose.Service> servers() {
        Map<String, Compose.Service> servers = new TreeMap<>(COMPOSE.services());
        servers.keySet().removeIf(name -> !name.startsWith("server-"));
        return servers;
    }

    private static Duration seconds(String text) {
        return Duration.parse("PT" + text);
    }

    @Test
    void theImageIsBuiltOnce() {
        Compose.Build build = servers().get("server-1").build();

        assertThat(build.dockerfile()).isEqualTo("src/main/docker/Dockerfile.jvm");
        assertThat(FOLDER.resolve(build.context()).resolve(build.dockerfile())).exists();
    }

    @Test
    void threeServersAreAlikeButForTheirNames() {
        assertThat(servers().keySet()).containsExactly("server-1", "server-2", "server-3");
        servers().forEach((name, server) -> {
            assertThat(server.environment())
                    .containsEntry("SERVER_HOSTNAME", name)
                    .containsEntry("SERVER_URL", "http://" + name + ":" + Settings.port());
            assertThat(Settings.documentedVariables())
                    .containsAll(server.environment().keySet());
            assertThat(server.image()).isEqualTo(servers().get("server-1").image());
            assertThat(server.build() != null).isEqualTo(name.equals("server-1"));
            assertThat(server.pullPolicy()).isEqualTo(name.equals("server-1") ? null : "never");
            assertThat(server.readOnly()).isTrue();
            assertThat(server.tmpfs()).contains("/tmp");
            assertThat(server.capDrop()).containsExactly("ALL");
            assertThat(server.cpus()).isPositive();
        });
    }

    @Test
    void theyAreGivenTheTimeToDrain() {
        Duration drain = Settings.duration("quarkus.shutdown.delay")
                .plus(Settings.duration("quarkus.shutdown.timeout"))
                .plus(Settings.time("20S"))
                .plus(Settings.LEAVING);
        assertThat(servers().values())
                .allSatisfy(
                        server -> assertThat(seconds(server.stopGracePeriod())).isGreaterThan(drain.plusSeconds(5)));
    }

    @Test
    void everybodyWaitsForWhomItNeeds() {
        servers()
                .values()
                .forEach(server -> assertThat(server.dependsOn().keySet()).containsExactly("postgres", "keys"));
        assertThat(COMPOSE.services().get("nginx").dependsOn().keySet())
                .isEqualTo(servers().keySet());
        COMPOSE.services().values().stream()
                .filter(service -> service.dependsOn() != null)
                .flatMap(service -> service.dependsOn().entrySet().stream())
                .forEach(dependency -> {
                    Compose.Service needed = COMPOSE.services().get(dependency.getKey());
                    assertThat(needed).as(dependency.getKey()).isNotNull();
                    if (dependency.getValue().condition() == Compose.Condition.HEALTHY) {
                        assertThat(needed.healthcheck()).isNotNull();
                    }
                });
    }

    @Test
    void everyVolumeIsDeclaredOrAFileThatIsThere() {
        COMPOSE.services().values().stream()
                .flatMap(service -> Stream.ofNullable(service.volumes()))
                .flatMap(List::stream)
                .map(volume -> volume.substring(0, volume.indexOf(':')))
                .forEach(source -> {
                    if (source.startsWith(".")) {
                        assertThat(FOLDER.resolve(source)).exists();
                    } else {
                        assertThat(COMPOSE.volumes()).containsKey(source);
                    }
                });
    }

    @Test
    void onlyNginxIsReachedAndOnlyFromThisMachine() {
        COMPOSE.services().forEach((name, service) -> {
            if (name.equals("nginx")) {
                assertThat(service.ports())
                        .containsExactly("127.0.0.1:8080:"
                                + NGINX.at("http", "server", "listen").value());
            } else {
                assertThat(service.ports()).isNull();
            }
        });
    }

    @Test
    void nginxKnowsAllServersAndTheirPort() {
        Set<String> upstream = NGINX.at("http", "upstream")
                .all("server")
                .map(server -> server.arguments().getFirst())
                .collect(Collectors.toSet());
        assertThat(upstream)
                .isEqualTo(servers().keySet().stream()
                        .map(name -> name + ":" + Settings.port())
                        .collect(Collectors.toSet()));
        assertThat(API.only("proxy_pass").value())
                .isEqualTo("http://" + NGINX.at("http", "upstream").value());
    }

    @Test
    void streamsGoThroughAtOnceAndForAsLongAsTheyLive() {
        assertThat(API.only("proxy_buffering").value()).isEqualTo("off");
        assertThat(API.only("proxy_cache").value()).isEqualTo("off");
        assertThat(API.only("gzip").value()).isEqualTo("off");
        assertThat(API.only("proxy_http_version").value()).isEqualTo("1.1");
        assertThat(API.all("proxy_set_header"))
                .anyMatch(header -> header.value().equals("Connection \"\""));
        // events.keep-alive is 12 s, an answer is held for 30 s at most
        assertThat(seconds(API.only("proxy_read_timeout").value())).isGreaterThan(Duration.ofSeconds(60));
    }

    /** Without {@code non_idempotent} nginx sends a POST or PATCH once. */
    @Test
    void onlyWhatMayBeRepeatedIsSentAgain() {
        assertThat(API.only("proxy_next_upstream").arguments())
                .containsExactlyInAnyOrder("error", "timeout", "http_502", "http_503");
    }

    /** A server that drains has no connections: whoever prefers the least busy would send it every stream. */
    @Test
    void serversTakeTurns() {
        assertThat(NGINX.at("http", "upstream").block())
                .extracting(Directive::name)
                .doesNotContain("least_conn", "least_time", "random", "hash", "ip_hash");
    }

    /** Whatever clients say of themselves gets no further. */
    @Test
    void whatIsForwardedIsSetAndBelieved() {
        Map<String, String> forwarded = API.all("proxy_set_header")
                .collect(Collectors.toMap(
                        header -> header.arguments().getFirst(),
                        header -> header.arguments().getLast()));

        assertThat(forwarded)
                .containsEntry("X-Forwarded-For", "$remote_addr")
                .containsEntry("X-Forwarded-Proto", "$scheme")
                .containsEntry("X-Forwarded-Host", "$http_host");
        for (String other : List.of("Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Ssl")) {
            assertThat(forwarded).containsEntry(other, "\"\"");
        }
        assertThat(servers().values())
                .allSatisfy(server ->
                        assertThat(server.environment().get("TRUSTED_PROXIES")).isNotEmpty());
    }

    /** EventSource gives up for good on anything but 200; and pages of other origins must be able to read even that. */
    @Test
    void aStreamWithoutServersComesAgain() {
        assertThat(API.all("error_page").map(Directive::value)).contains("502 504 = $without_servers");
        Directive stream = location("= /without-servers/stream");

        assertThat(stream.only("default_type").value()).isEqualTo("text/event-stream");
        assertThat(stream.only("return").value()).startsWith("200 \"retry: ");
        assertThat(stream.all("add_header").map(Directive::value)).contains("Access-Control-Allow-Origin * always");
    }

    /** A location that adds one gives its own answers, and not those of the service, what it adds. */
    @Test
    void nothingIsAddedToTheAnswersOfTheService() {
        for (Directive around : List.of(NGINX.only("http"), NGINX.at("http", "server"), API)) {
            assertThat(around.all("add_header")).isEmpty();
        }
    }

    @Test
    void onlyTheApiGoesThrough() {
        assertThat(NGINX.at("http", "server")
                        .all("location")
                        .filter(one -> one.all("proxy_pass").findAny().isPresent()))
                .containsExactly(API);
        assertThat(location("/").only("return").value()).isEqualTo("404");
    }
}
