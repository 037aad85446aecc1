package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;

/** One fault in a workspace of its own: under load, followed, and judged by what the service tells of it afterwards. */
final class Round implements AutoCloseable {
    private static final Duration SETTLED = Duration.ofSeconds(30);
    private static final int COMPARISONS = 5;

    private final Fleet fleet;
    private final Scale scale;
    private final Random random;
    private final Api owner;
    private final String workspace;
    private final Follower follower;
    private final Workload workload;
    private final Talkers talkers;
    private List<History> histories = List.of();
    private List<String> broken = List.of();

    private Round(Fleet fleet, Scale scale, long seed) {
        this.fleet = fleet;
        this.scale = scale;
        this.random = new Random(seed);
        this.owner = Api.user(fleet.ready());
        this.workspace = owner.newWorkspace();
        Random place = new Random(seed + 1);
        this.follower = Follower.of(() -> owner.at(fleet.any(place).service()), workspace, Duration.ofSeconds(3));
        this.workload = Workload.start(fleet, owner, workspace, scale, seed + 2);
        this.talkers = Talkers.start(fleet, owner, scale, seed + 3_000);
    }

    /** Begins with the load. */
    static Round begin(Fleet fleet, Scale scale, long seed) {
        return new Round(fleet, scale, seed);
    }

    Random random() {
        return random;
    }

    /** The server that owns the most of the sessions here. */
    Fleet.Member biggestOwner() {
        return fleet.members().stream()
                .max(Comparator.comparingInt(member -> ownedBy(fleet.idOf(member))))
                .orElseThrow();
    }

    /** Lets the load flow for a while. */
    void flow() {
        workload.flow(scale.load(), scale.workers() * 5);
    }

    /** Follows the workspace at this server, however long it is silent. */
    Follower follow(Fleet.Member member) {
        return Follower.of(() -> owner.at(member.service()), workspace, Duration.ofHours(1));
    }

    /** The live sessions of this workspace that the server owns. */
    int ownedBy(String server) {
        return owner.at(fleet.ready())
                .get("/workspaces/" + workspace + "/agent-sessions?limit=1&server_id=" + server)
                .expect(200)
                .get("total")
                .asInt();
    }

    /** Waits until the server owns nothing any more. */
    void awaitNothingOwnedBy(String server, Duration within) {
        await("server " + server + " owns nothing")
                .atMost(within)
                .pollInterval(Duration.ofMillis(50))
                // a moment in which no server is ready is a moment like the others
                .untilAsserted(() -> assertThat(ownedBy(server)).isZero());
    }

    /** Answers 503 so far, by the hostname of who gave them. */
    Map<String, Integer> unavailable() {
        return Map.copyOf(workload.trouble().unavailable());
    }

    /** The {@code agent_recovered} or {@code agent_migrated} events of what it did not lose to mere rebalancing. */
    List<JsonNode> takenFrom(String server) {
        return histories.stream()
                .flatMap(history -> history.events().stream())
                .map(event -> event.get("data"))
                .filter(data -> data.path("from_server_id").asText().equals(server)
                        && !data.path("reason").asText().equals("rebalance"))
                .toList();
    }

    /** Ends the load and waits until nothing is wrong: commands that are open, and sessions in between, have time. */
    void judge() throws ExecutionException, InterruptedException {
        workload.stop();
        talkers.stop();
        try {
            await().atMost(SETTLED).pollInterval(Duration.ofMillis(250)).until(() -> {
                broken = examine();
                return broken.isEmpty();
            });
        } catch (org.awaitility.core.ConditionTimeoutException e) {
            throw new AssertionError(
                    broken.size() + " things are wrong:\n"
                            + broken.stream().limit(20).collect(Collectors.joining("\n")),
                    e);
        }
    }

    private List<String> examine() throws ExecutionException, InterruptedException {
        histories = read();
        Map<String, List<Workload.Change>> changes =
                workload.changes().stream().collect(Collectors.groupingBy(Workload.Change::sessionId));
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < histories.size(); i++) {
            wrong.addAll(histories
                    .get(i)
                    .broken(changes.getOrDefault(workload.created().get(i).id(), List.of())));
        }
        Set<String> living = fleet.living();
        histories.stream()
                .filter(history -> history.isLive() && history.owner() != null && !living.contains(history.owner()))
                .forEach(history -> wrong.add("a session is still with " + history.owner() + ", which is gone"));
        compareCounts(wrong);
        compareWith(follower, wrong);
        wrong.addAll(talkers.broken());
        return wrong;
    }

    private List<History> read() throws ExecutionException, InterruptedException {
        Api reader = owner.at(fleet.ready());
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<History>> reading = workload.created().stream()
                    .map(session -> threads.submit(() -> History.read(reader, session)))
                    .toList();
            List<History> read = new ArrayList<>();
            for (Future<History> one : reading) {
                read.add(one.get());
            }
            return read;
        }
    }

    private void compareCounts(List<String> wrong) {
        Api reader = owner.at(fleet.ready());
        long live = histories.stream().filter(History::isLive).count();
        long counted = reader.get("/workspaces/" + workspace)
                .expect(200)
                .at("/workspace/live_sessions")
                .asLong();
        long all = reader.get("/workspaces/" + workspace + "/agent-sessions?status=all&limit=1")
                .expect(200)
                .get("total")
                .asLong();
        if (live != counted) {
            wrong.add(live + " sessions are live, the counter says " + counted);
        }
        if (all != histories.size()) {
            wrong.add(histories.size() + " sessions were created, the list has " + all);
        }
    }

    /** The stream must be the histories, by position: no gap, no repeat. */
    private void compareWith(Follower stream, List<String> wrong) {
        List<String> told = histories.stream()
                .flatMap(history -> history.events().stream())
                .sorted(Comparator.comparingLong(event -> event.get("position").asLong()))
                .map(event -> event.get("position").asText() + " "
                        + event.get("event").asText() + " " + event.get("data"))
                .toList();
        if (!told.isEmpty()) {
            stream.awaitPosition(
                    Long.parseLong(told.getLast().substring(0, told.getLast().indexOf(' '))));
        }
        List<SseStream.Event> received = stream.received();
        for (int i = 0; i < Math.max(told.size(), received.size()); i++) {
            SseStream.Event event = i < received.size() ? received.get(i) : null;
            String seen = event == null ? null : event.id() + " " + event.type() + " " + event.data();
            if (i >= told.size() || !told.get(i).equals(seen)) {
                wrong.add("event " + i + " of the stream is " + seen + ", of the histories "
                        + (i < told.size() ? told.get(i) : null));
                return;
            }
        }
    }

    /** Fails unless this stream too has every event, once; sweeps may add some all the time. */
    void requireComplete(Follower other) throws ExecutionException, InterruptedException {
        List<String> wrong = List.of("not compared");
        for (int i = 0; i < COMPARISONS && !wrong.isEmpty(); i++) {
            histories = read();
            wrong = new ArrayList<>();
            compareWith(other, wrong);
        }
        assertThat(wrong).isEmpty();
    }

    /** What happened, in a line. */
    String summary() {
        List<JsonNode> events =
                histories.stream().flatMap(history -> history.events().stream()).toList();
        return "%d turns, %d sessions, %d changes acknowledged, %d recovered, %d migrated, %d fenced, %d events seen over %d connections; %d requests cut, %d answered 503"
                .formatted(
                        talkers.exchanges(),
                        histories.size(),
                        workload.acknowledged(),
                        count(events, "agent_recovered"),
                        count(events, "agent_migrated"),
                        events.stream()
                                .filter(event -> event.at("/data/fenced").asBoolean())
                                .count(),
                        follower.received().size(),
                        follower.connections(),
                        workload.trouble().cut().get(),
                        workload.trouble().unavailable().values().stream()
                                .mapToInt(Integer::intValue)
                                .sum());
    }

    private static long count(List<JsonNode> events, String type) {
        return events.stream()
                .filter(event -> event.get("event").asText().equals(type))
                .count();
    }

    @Override
    public void close() {
        follower.close();
        workload.close();
        talkers.close();
    }
}
