package ai.buildscale.agents.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** Servers on one database of their own, with short leases; each by its hostname {@code s1}, {@code s2} and so on. */
public final class Servers implements AutoCloseable {
    private static final Map<String, String> QUICK = Map.of(
            "server.lease-renewal", "1S",
            "server.lost-after", "4S",
            "server.watch-interval", "0.2S",
            "server.rebalance", "false",
            "sessions.command-timeout", "2S",
            "server.forget-interval", "1S");

    private final String database = Postgres.newDatabase();
    private final List<Service> all = new ArrayList<>();
    private final Map<String, String> settings;

    private Servers(Map<String, String> settings) {
        this.settings = new HashMap<>(settings);
    }

    public static Servers start(int count) {
        return start(count, Map.of());
    }

    public static Servers start(int count, Map<String, String> settings) {
        Servers servers = new Servers(QUICK);
        servers.settings.putAll(settings);
        return servers.begin(count);
    }

    /** Servers with the leases that are usual in production. */
    public static Servers startWithDefaults(int count) {
        return new Servers(Map.of()).begin(count);
    }

    private Servers begin(int count) {
        add(Map.of());
        for (int i = 1; i < count; i++) {
            launch(Map.of());
        }
        all.forEach(Service::awaitReady);
        awaitMembers(count);
        return this;
    }

    private Service launch(Map<String, String> own) {
        Map<String, String> properties = new HashMap<>(settings);
        properties.put("server.hostname", "s" + (all.size() + 1));
        properties.putAll(own);
        Service service = Service.launch(database, properties);
        all.add(service);
        return service;
    }

    /** One more, which need not be ready yet. */
    public Service launch() {
        return launch(Map.of());
    }

    /** One more. */
    public Service add(Map<String, String> own) {
        Service service = launch(own);
        service.awaitReady();
        return service;
    }

    /** The server by its number, from 1. */
    public Service get(int number) {
        return all.get(number - 1);
    }

    public String database() {
        return database;
    }

    /** A new operator, at the first server. */
    public Api operator() {
        return Api.user(all.getFirst(), "admin");
    }

    /** All rows of {@code GET /servers}, as a living server sees them. */
    public List<JsonNode> list() {
        Service living = all.stream().filter(Service::isAlive).findFirst().orElseThrow();
        JsonNode answer = Api.user(living, "admin").amongNewer().get("/servers").expect(200);
        assertThat(answer.get("count").asInt()).isEqualTo(answer.get("servers").size());
        return StreamSupport.stream(answer.get("servers").spliterator(), false).toList();
    }

    /** Who is under this hostname now. */
    public JsonNode living(String hostname) {
        return list().stream()
                .filter(server -> server.get("hostname").asText().equals(hostname))
                .filter(server -> !server.get("state").asText().equals("gone"))
                .findFirst()
                .orElseThrow();
    }

    public String id(int number) {
        return living("s" + number).get("id").asText();
    }

    public void awaitMembers(int count) {
        await().until(() -> list().stream()
                        .filter(server -> !server.get("state").asText().equals("gone"))
                        .count()
                == count);
        // each of them must have seen the others
        await().untilAsserted(() -> assertThat(
                        all.stream().filter(Service::isAlive).mapToDouble(service -> service.metric("fleet_servers")))
                .allMatch(seen -> seen == count));
    }

    /** New sessions until this server has that many of them. */
    public List<String> sessionsOn(int number, int count, Api owner, String workspace) {
        List<String> there = new ArrayList<>();
        String host = "s" + number;
        while (there.size() < count) {
            JsonNode session = owner.newSession(workspace);
            if (session.get("server_hostname").asText().equals(host)) {
                there.add(session.get("id").asText());
            }
        }
        return there;
    }

    public void signal(int number, String signal) {
        try {
            long pid = get(number).handle().pid();
            assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(pid))
                            .start()
                            .waitFor())
                    .isZero();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    public static ConditionFactory await() {
        return Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(50));
    }

    @Override
    public void close() {
        for (int i = 1; i <= all.size(); i++) {
            if (get(i).isAlive()) {
                signal(i, "CONT");
            }
        }
        all.parallelStream().forEach(Service::close);
    }
}
