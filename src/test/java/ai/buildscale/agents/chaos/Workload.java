package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

/**
 * People and agents at work on the sessions of one workspace, through all servers at once: each worker sends random
 * commands to random sessions, and every change that was acknowledged is kept. Sessions that end are replaced. One
 * session beats for nobody: it may go stale, and no other.
 */
final class Workload implements AutoCloseable {
    private static final int HOSTED = 40;
    private static final int OUTSIDE = 4;
    private static final List<String> TYPES = List.of("assistant", "planner", "builder");
    private static final List<String> COMMANDS = List.of(
            "start",
            "start",
            "start",
            "start",
            "yield",
            "yield",
            "yield",
            "pause",
            "pause",
            "pause",
            "resume",
            "resume",
            "resume",
            "task",
            "task",
            "complete",
            "cancel");

    /** A session as it was created. */
    record Created(String id, String serverId, boolean hosted, boolean silent) {}

    /**
     * A change that was acknowledged.
     *
     * @param task the task it set; null for a command
     */
    record Change(String sessionId, String command, String status, long version, String task) {}

    private static final class Slot {
        private final boolean hosted;
        private final AtomicBoolean replacing = new AtomicBoolean();
        private volatile Created session;

        Slot(boolean hosted) {
            this.hosted = hosted;
        }
    }

    private final Fleet fleet;
    private final Api owner;
    private final String workspace;
    private final Duration patience;
    private final long seed;
    private final List<Slot> slots = new ArrayList<>();
    private final Map<String, Created> created = new ConcurrentHashMap<>();
    private final Queue<Change> changes = new ConcurrentLinkedQueue<>();
    private final AtomicInteger acknowledged = new AtomicInteger();
    private final Client.Trouble trouble = new Client.Trouble();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Future<?>> workers = new ArrayList<>();
    private volatile boolean done;

    private Workload(Fleet fleet, Api owner, String workspace, Duration patience, long seed) {
        this.fleet = fleet;
        this.owner = owner;
        this.workspace = workspace;
        this.patience = patience;
        this.seed = seed;
    }

    static Workload start(Fleet fleet, Api owner, String workspace, Scale scale, long seed) {
        Workload workload = new Workload(fleet, owner, workspace, scale.patience(), seed);
        workload.begin(scale.workers());
        return workload;
    }

    private void begin(int count) {
        IntStream.range(0, HOSTED + OUTSIDE).forEach(i -> slots.add(new Slot(i < HOSTED)));
        create(client(-1), new Random(seed), false, true);
        workers.addAll(IntStream.range(0, count)
                .mapToObj(i -> threads.submit(() -> work(i, count)))
                .toList());
        workers.add(threads.submit(this::beat));
        await().atMost(Duration.ofSeconds(60))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> {
                    requireUnharmed();
                    return slots.stream().allMatch(slot -> slot.session != null);
                });
    }

    private Client client(int number) {
        return new Client(fleet, owner.within(patience), new Random(seed + number), trouble);
    }

    private void work(int number, int count) {
        Random random = new Random(seed * 31 + number);
        Client client = client(number);
        for (int i = number; i < slots.size(); i += count) {
            replace(client, random, slots.get(i), null);
        }
        for (int i = 0; !done; i++) {
            Slot slot = slots.get(random.nextInt(slots.size()));
            Created session = slot.session;
            if (session != null) {
                String command = COMMANDS.get(random.nextInt(COMMANDS.size()));
                String task = number + "." + i;
                if (tell(client, random, session, command, task)) {
                    replace(client, random, slot, session);
                }
            }
            client.pause(random.nextInt(20));
        }
    }

    /** Whether the session has ended. */
    private boolean tell(Client client, Random random, Created session, String command, String task) {
        String path = "/agent-sessions/" + session.id();
        // a task that is sent again is another one: an answer must name the change it made
        String[] sent = new String[1];
        Api.Reply reply = switch (command) {
            case "cancel" -> client.send("DELETE", path + "?reason=chaos", (String) null);
            case "task" ->
                client.send("PATCH", path, attempt -> {
                    sent[0] = task + "." + attempt;
                    return "{\"current_task\":\"" + sent[0] + "\"}";
                });
            case "pause" -> client.send("POST", path + "/pause", random.nextInt(5) == 0 ? "{\"expires_in\":1}" : "{}");
            default -> client.send("POST", path + "/" + command, "{}");
        };
        assertThat(reply.status()).as(command + ": " + reply.text()).isIn(200, 409);
        if (reply.status() == 409) {
            assertThat(reply.json().has("allowed_transitions")).as(reply.text()).isTrue();
            return reply.json().get("allowed_transitions").isEmpty();
        }
        JsonNode answered = reply.json().get("session");
        changes.add(new Change(
                session.id(),
                command,
                answered.get("status").asText(),
                answered.get("version").asLong(),
                sent[0]));
        acknowledged.incrementAndGet();
        return answered.get("is_terminal").asBoolean();
    }

    private void replace(Client client, Random random, Slot slot, Created ended) {
        if (Objects.equals(slot.session, ended) && slot.replacing.compareAndSet(false, true)) {
            slot.session = create(client, random, slot.hosted, false);
            slot.replacing.set(false);
        }
    }

    private Created create(Client client, Random random, boolean hosted, boolean silent) {
        JsonNode session = client.send(
                        "POST",
                        "/workspaces/" + workspace + "/agent-sessions",
                        "{\"agent_type\":\"" + TYPES.get(random.nextInt(TYPES.size()))
                                + "\",\"model\":\"chaos\",\"hosting\":\"" + (hosted ? "server" : "external") + "\"}")
                .expect(201)
                .get("session");
        Created one =
                new Created(session.get("id").asText(), session.get("server_id").asText(null), hosted, silent);
        created.put(one.id(), one);
        changes.add(
                new Change(one.id(), "create", "idle", session.get("version").asLong(), null));
        acknowledged.incrementAndGet();
        return one;
    }

    /** The agents of the sessions that are hosted outside. */
    private void beat() {
        Client client = client(1_000);
        while (!done) {
            for (Slot slot : slots) {
                if (!slot.hosted && slot.session != null) {
                    client.send("POST", "/agent-sessions/" + slot.session.id() + "/heartbeat", "{\"epoch\":1}")
                            .expect(200);
                }
            }
            client.pause(500);
        }
    }

    /** Lets commands flow for this long, and until so many changes have been acknowledged. */
    void flow(Duration time, int changes) {
        Instant until = Instant.now().plus(time);
        int enough = acknowledged.get() + changes;
        await().atMost(time.plusSeconds(60)).pollInterval(Duration.ofMillis(20)).until(() -> {
            requireUnharmed();
            return Instant.now().isAfter(until) && acknowledged.get() >= enough;
        });
    }

    private void requireUnharmed() throws ExecutionException, InterruptedException {
        for (Future<?> worker : workers) {
            if (worker.isDone()) {
                worker.get();
            }
        }
    }

    /** Ends it, once every command that is under way has its answer. */
    void stop() throws ExecutionException, InterruptedException {
        done = true;
        for (Future<?> worker : workers) {
            worker.get();
        }
    }

    List<Created> created() {
        return List.copyOf(created.values());
    }

    List<Change> changes() {
        return List.copyOf(changes);
    }

    int acknowledged() {
        return acknowledged.get();
    }

    Client.Trouble trouble() {
        return trouble;
    }

    @Override
    public void close() {
        done = true;
        threads.close();
    }
}
