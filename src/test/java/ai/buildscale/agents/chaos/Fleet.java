package ai.buildscale.agents.chaos;

import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/** Three servers on one Postgres, as an operator sees them, each behind a {@link Relay} of its own. */
final class Fleet implements AutoCloseable {
    private static final int SIZE = 3;

    private final EmbeddedPostgres postgres;
    private final String database;
    private final Scale scale;
    private final List<Member> members = new CopyOnWriteArrayList<>();
    private int started;
    private Path build = Service.ARTIFACT;

    private Fleet(EmbeddedPostgres postgres, Scale scale) {
        this.postgres = postgres;
        this.database = Postgres.newDatabase(postgres);
        this.scale = scale;
    }

    static Fleet start(Scale scale) {
        return start(scale, Service.ARTIFACT);
    }

    /** Of servers of this build. */
    static Fleet start(Scale scale, Path build) {
        Fleet fleet = new Fleet(Postgres.newServer("it-postgres-chaos", "fsync=off"), scale);
        fleet.build(build);
        fleet.fill();
        return fleet;
    }

    /** What servers are started of from now on. */
    void build(Path artifact) {
        build = artifact;
    }

    /**
     * A process of the fleet.
     *
     * @param hostname its own, so that its row is found again under whichever id
     * @param relay its way to Postgres
     */
    record Member(String hostname, Service service, Relay relay) {
        void signal(String name) throws IOException, InterruptedException {
            int code = new ProcessBuilder(
                            "kill", "-" + name, Long.toString(service.handle().pid()))
                    .inheritIO()
                    .start()
                    .waitFor();
            if (code != 0) {
                throw new IllegalStateException("kill -" + name + " " + hostname + ": " + code);
            }
        }
    }

    EmbeddedPostgres postgres() {
        return postgres;
    }

    /** Those that clients know of, whether they answer or not. */
    List<Member> members() {
        return List.copyOf(members);
    }

    /** One of them; waits for the first if there is none. */
    Member any(Random random) {
        List<Member> now = await().atMost(Duration.ofSeconds(60)).until(this::members, known -> !known.isEmpty());
        return now.get(random.nextInt(now.size()));
    }

    /** Starts what is missing, and waits until all are ready. */
    void fill() {
        List<Member> missing = new ArrayList<>();
        while (members.size() + missing.size() < SIZE) {
            missing.add(launch());
        }
        missing.forEach(member -> member.service().awaitReady());
        members.addAll(missing);
    }

    private Member launch() {
        String hostname = "chaos-" + ++started;
        Relay relay = Relay.to(postgres.port());
        Map<String, String> all = new HashMap<>(scale.settings());
        all.put("server.hostname", hostname);
        String url = database.replace(":" + postgres.port() + "/", ":" + relay.port() + "/");
        return new Member(
                hostname, Service.launch(build, url, all, scale.flags().toArray(String[]::new)), relay);
    }

    /** {@code kill -9}; clients hear of it when they have been cut off. */
    void kill(List<Member> victims) throws InterruptedException {
        victims.forEach(victim -> victim.service().handle().destroyForcibly());
        for (Member victim : victims) {
            await().atMost(Duration.ofSeconds(10))
                    .pollInterval(Duration.ofMillis(10))
                    .until(() -> !victim.service().isAlive());
            forget(victim);
        }
    }

    /** SIGTERM; clients know the server until its process has ended. */
    void shutDown(Member victim) {
        victim.service().handle().destroy();
        await().atMost(Duration.ofSeconds(40))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> !victim.service().isAlive());
        forget(victim);
    }

    private void forget(Member member) {
        members.remove(member);
        member.relay().close();
    }

    /** The rows of all servers, gone ones too, as an operator gets them. */
    private List<JsonNode> rows() {
        List<JsonNode> rows = new ArrayList<>();
        Api.user(ready(), "admin").get("/servers").expect(200).get("servers").forEach(rows::add);
        return rows;
    }

    /** A server that answers now. */
    Service ready() {
        return members.stream()
                .map(Member::service)
                .filter(service -> service.isAlive() && isReady(service))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no server is ready"));
    }

    private static boolean isReady(Service service) {
        try {
            return Api.user(service)
                            .within(Duration.ofSeconds(1))
                            .get("/q/health/ready")
                            .status()
                    == 200;
        } catch (java.io.UncheckedIOException e) {
            return false;
        }
    }

    /** The ids of servers that are not gone. */
    Set<String> living() {
        return rows().stream()
                .filter(row -> !row.get("state").asText().equals("gone"))
                .map(row -> row.get("id").asText())
                .collect(Collectors.toSet());
    }

    /** The id under which the member is in the fleet now; null if it is not. */
    String idOf(Member member) {
        return rows().stream()
                .filter(row -> row.get("hostname").asText().equals(member.hostname())
                        && !row.get("state").asText().equals("gone"))
                .map(row -> row.get("id").asText())
                .findFirst()
                .orElse(null);
    }

    JsonNode row(String id) {
        return rows().stream()
                .filter(row -> row.get("id").asText().equals(id))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no server " + id));
    }

    @Override
    public void close() {
        members.parallelStream().forEach(member -> {
            member.service().close();
            member.relay().close();
        });
        postgres.close();
    }
}
