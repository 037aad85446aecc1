package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Three servers behind nginx on one machine: each file by itself, and both together. */
class ComposeTest {
    private static final Path FOLDER = Path.of("deploy/compose");
    private static final Compose COMPOSE = Yaml.read(Compose.class, FOLDER.resolve("compose.yaml"));
    private static final String NGINX = laidOut(Yaml.text(FOLDER.resolve("nginx.conf")));
    private static final List<String> API = block("location /api/");

    /** Returns the text; fails unless each line is one directive, or the head or the end of a block, at its depth. */
    private static String laidOut(String text) {
        int depth = 0;
        for (String line : text.lines().filter(one -> !one.matches(" *(#.*)?")).toList()) {
            depth -= line.endsWith("}") ? 1 : 0;
            // two directives on a line, or a block on one, would escape the assertions on lines
            assertThat(line).matches(" {" + 4 * depth + "}(}|(?! )(\"[^\"]*\"|'[^']*'|[^\t\"';{}])+[;{])");
            depth += line.endsWith("{") ? 1 : 0;
        }
        return text;
    }

    /** The lines of the only block with this head, which ends at the brace of the same indentation. */
    private static List<String> block(String head) {
        Pattern block = Pattern.compile("(?ms)^( *)" + Pattern.quote(head) + " \\{\\n(.*?)^\\1}$");
        List<String> found =
                block.matcher(NGINX).results().map(one -> one.group(2)).toList();
        assertThat(found).as(head).hasSize(1);
        return found.getFirst().lines().map(String::strip).toList();
    }

    /** The arguments of each directive with this name. */
    private static List<String> all(List<String> block, String name) {
        return block.stream()
                .filter(line -> line.startsWith(name + " ") && line.endsWith(";"))
                .map(line -> line.substring(name.length() + 1, line.length() - 1))
                .toList();
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
        String port = all(block("server"), "listen").getFirst();
        COMPOSE.services()
                .forEach((name, service) -> assertThat(service.ports())
                        .as(name)
                        .isEqualTo(name.equals("nginx") ? List.of("127.0.0.1:8080:" + port) : null));
    }

    @Test
    void nginxKnowsAllServersAndTheirPort() {
        assertThat(all(block("upstream servers"), "server"))
                .extracting(server -> server.split(" ", 2)[0])
                .containsExactlyElementsOf(servers().keySet().stream()
                        .map(name -> name + ":" + Settings.port())
                        .toList());
        assertThat(API).contains("proxy_pass http://servers;");
    }

    @Test
    void streamsGoThroughAtOnceAndForAsLongAsTheyLive() {
        assertThat(API)
                .contains(
                        "proxy_buffering off;",
                        "proxy_cache off;",
                        "gzip off;",
                        "proxy_http_version 1.1;",
                        "proxy_set_header Connection \"\";");
        // events.keep-alive is 12 s, an answer is held for 30 s at most
        assertThat(all(API, "proxy_read_timeout"))
                .singleElement()
                .satisfies(timeout -> assertThat(seconds(timeout)).isGreaterThan(Duration.ofSeconds(60)));
    }

    /** Without {@code non_idempotent} nginx sends a POST or PATCH once. */
    @Test
    void onlyWhatMayBeRepeatedIsSentAgain() {
        assertThat(all(API, "proxy_next_upstream")).containsExactly("error timeout http_502 http_503");
    }

    /** A server that drains has no connections: whoever prefers the least busy would send it every stream. */
    @Test
    void serversTakeTurns() {
        assertThat(block("upstream servers"))
                .isNotEmpty()
                .noneMatch(line -> line.matches("(least_conn|least_time|random|hash|ip_hash)\\b.*"));
    }

    /** Whatever clients say of themselves gets no further. */
    @Test
    void whatIsForwardedIsSetAndBelieved() {
        assertThat(all(API, "proxy_set_header"))
                .contains(
                        "X-Forwarded-For $remote_addr",
                        "X-Forwarded-Proto $scheme",
                        "X-Forwarded-Host $http_host",
                        "Forwarded \"\"",
                        "X-Forwarded-Port \"\"",
                        "X-Forwarded-Prefix \"\"",
                        "X-Forwarded-Ssl \"\"")
                .extracting(header -> header.split(" ", 2)[0])
                .doesNotHaveDuplicates();
        assertThat(servers().values())
                .allSatisfy(server ->
                        assertThat(server.environment().get("TRUSTED_PROXIES")).isNotEmpty());
    }

    /** EventSource gives up for good on anything but 200; and pages of other origins must be able to read even that. */
    @Test
    void aStreamWithoutServersComesAgain() {
        assertThat(API).contains("error_page 502 504 = $without_servers;");
        assertThat(block("location = /without-servers/stream"))
                .contains("default_type text/event-stream;", "add_header Access-Control-Allow-Origin * always;")
                .anyMatch(line -> line.startsWith("return 200 \"retry: "));
    }

    /** A location that adds one gives its own answers, and not those of the service, what it adds. */
    @Test
    void nothingIsAddedToTheAnswersOfTheService() {
        assertThat(API).noneMatch(line -> line.startsWith("add_header"));
        assertThat(NGINX.lines().filter(line -> line.strip().startsWith("add_header")))
                .as("within a location, and not for all of them")
                .isNotEmpty()
                .allMatch(line -> line.startsWith(" ".repeat(12)));
    }

    @Test
    void onlyTheApiGoesThrough() {
        assertThat(NGINX.lines().filter(line -> line.strip().startsWith("proxy_pass")))
                .hasSize(1);
        assertThat(API).anyMatch(line -> line.startsWith("proxy_pass"));
        assertThat(block("location /")).containsExactly("return 404;");
    }
}
