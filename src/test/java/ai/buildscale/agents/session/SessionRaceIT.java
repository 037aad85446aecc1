package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many callers at one session, one chat, one quota: one wins, each is told the truth, nobody waits for a deadlock. */
class SessionRaceIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String DEADLOCK = "deadlock detected";

    private static final Map<String, Set<String>> SUCCESSORS = Map.of(
            "idle", Set.of("running", "paused", "cancelled"),
            "running", Set.of("idle", "paused", "completed", "cancelled", "error"),
            "paused", Set.of("idle", "running", "completed", "cancelled"),
            "completed", Set.of(),
            "cancelled", Set.of(),
            "error", Set.of());

    /** The states that refuse a command; a repeated pause and a repeated cancel are successes. */
    private static final Map<String, Set<String>> REFUSED_BY = Map.of(
            "start", Set.of("running", "completed", "cancelled", "error"),
            "yield", Set.of("idle", "paused", "completed", "cancelled", "error"),
            "pause", Set.of("completed", "cancelled", "error"),
            "resume", Set.of("idle", "running", "completed", "cancelled", "error"),
            "complete", Set.of("idle", "completed", "cancelled", "error"),
            "fail", Set.of("idle", "paused", "completed", "cancelled", "error"),
            "cancel", Set.of("completed", "error"));

    private static final Set<String> REPEATABLE = Set.of("pause", "cancel");

    /** What a racer sent, and what it was told. */
    private record Told(String command, Api.Reply reply) {}

    private final String workspace = OWNER.newWorkspace();
    private long deadlocks;

    /** A service that has just been started answers its first requests too slowly for a crowd. */
    @BeforeAll
    static void warmUp() {
        String workspace = OWNER.newWorkspace();
        AtOnce.run(4, _ -> {
            for (int i = 0; i < 25; i++) {
                String id = OWNER.newSession(workspace).get("id").asText();
                send(id, "start");
                send(id, "cancel");
            }
            return null;
        });
    }

    @BeforeEach
    void countDeadlocks() {
        deadlocks = Postgres.logged(DEADLOCK);
    }

    @AfterEach
    void nobodyWaitedForADeadlock() {
        assertThat(Postgres.logged(DEADLOCK)).isEqualTo(deadlocks);
    }

    private static Api.Reply send(String id, String command) {
        return switch (command) {
            case "cancel" -> OWNER.delete("/agent-sessions/" + id);
            case "fail" -> OWNER.command(id, "fail", "{\"error_message\":\"it broke\"}");
            default -> OWNER.command(id, command, "{}");
        };
    }

    private String newId() {
        return OWNER.newSession(workspace).get("id").asText();
    }

    private Api.Reply create(String chat) {
        return OWNER.post("/workspaces/" + workspace + "/agent-sessions", """
                {"agent_type":"assistant","model":"m","chat_id":"%s"}""".formatted(chat));
    }

    private int live() {
        return OWNER.get("/workspaces/" + workspace)
                .expect(200)
                .at("/workspace/live_sessions")
                .asInt();
    }

    private static Map<Integer, Long> byStatus(List<Api.Reply> replies) {
        return replies.stream().collect(Collectors.groupingBy(Api.Reply::status, TreeMap::new, Collectors.counting()));
    }

    /** The history is a legal path, and what each racer was told is in it, or follows from it. */
    private static void assertTruth(String id, List<Told> all) {
        Map<Long, String> statusAt = new TreeMap<>();
        String previous = null;
        long position = 0;
        for (JsonNode event : OWNER.changes(id)) {
            assertThat(event.get("event").asText()).isEqualTo("agent_status");
            String status = event.at("/data/status").asText();
            assertThat(event.at("/data/previous_status").asText(null)).isEqualTo(previous);
            if (previous != null) {
                assertThat(SUCCESSORS.get(previous)).contains(status);
            }
            assertThat(event.get("position").asLong()).isGreaterThan(position);
            assertThat(event.at("/data/version").asLong()).isEqualTo(statusAt.size() + 1);
            statusAt.put(event.at("/data/version").asLong(), status);
            position = event.get("position").asLong();
            previous = status;
        }

        List<Long> told = new ArrayList<>();
        List<Long> toldByRepeatable = new ArrayList<>();
        for (Told one : all) {
            if (one.reply().status() == 200) {
                JsonNode session = one.reply().json().get("session");
                long version = session.get("version").asLong();
                assertThat(session.get("status").asText()).as(one.command()).isEqualTo(statusAt.get(version));
                (REPEATABLE.contains(one.command()) ? toldByRepeatable : told).add(version);
            } else {
                JsonNode problem = one.reply().expectProblem(409, "CONFLICT");
                String current = problem.get("current_status").asText();
                assertThat(REFUSED_BY.get(one.command())).as(one.command()).contains(current);
                assertThat(problem.get("allowed_transitions").valueStream().map(JsonNode::asText))
                        .containsExactlyInAnyOrderElementsOf(SUCCESSORS.get(current));
            }
        }
        assertThat(told).as("one change, one winner").doesNotHaveDuplicates().noneMatch(toldByRepeatable::contains);
        assertThat(statusAt.keySet().stream().skip(2))
                .as("each change was somebody's success")
                .allMatch(version -> told.contains(version) || toldByRepeatable.contains(version));
    }

    @Test
    void manyCommandsAtOneSessionAreALegalHistory() {
        String id = newId();
        send(id, "start").expect(200);
        String[] commands = {"start", "yield", "pause", "resume"};

        List<List<Told>> told = AtOnce.run(8, _ -> {
            List<Told> mine = new ArrayList<>();
            for (int i = 0; i < 250; i++) {
                String command = commands[ThreadLocalRandom.current().nextInt(commands.length)];
                mine.add(new Told(command, send(id, command)));
            }
            return mine;
        });

        List<Told> all = told.stream().flatMap(List::stream).toList();
        assertTruth(id, all);
        assertThat(all.stream().filter(one -> one.reply().status() == 200)).hasSizeGreaterThan(100);
    }

    @Test
    void theEndIsReachedOnce() {
        String[] commands = {"pause", "resume", "cancel", "start", "complete", "fail", "yield", "cancel"};
        for (int round = 0; round < 60; round++) {
            String id = newId();
            send(id, "start").expect(200);

            List<Told> told = AtOnce.run(commands.length, i -> new Told(commands[i], send(id, commands[i])));

            assertTruth(id, told);
            assertThat(OWNER.statuses(id).stream()
                            .filter(status -> SUCCESSORS.get(status).isEmpty()))
                    .as("cancel always finds a state that it can end")
                    .hasSize(1);
        }
        assertThat(live()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"pause", "cancel"})
    void aRepeatIsASuccessAndNoSecondEvent(String command) {
        String id = newId();
        send(id, "start").expect(200);

        List<JsonNode> answers =
                AtOnce.run(30, _ -> send(id, command).expect(200).get("session"));

        assertThat(answers.stream()
                        .map(session -> session.get("version").asInt())
                        .distinct())
                .containsExactly(3);
        assertThat(answers.stream()
                        .map(session -> session.at("/pause/id").asText())
                        .distinct())
                .hasSize(1);
        assertThat(OWNER.changes(id)).hasSize(3);
    }

    @Test
    void theSameResumeFromManyIsOneResume() {
        String id = newId();
        send(id, "start").expect(200);
        String pause = send(id, "pause").expect(200).at("/session/pause/id").asText();

        AtOnce.run(
                30,
                _ -> OWNER.command(id, "resume", "{\"pause_id\":\"" + pause + "\"}")
                        .expect(200));

        assertThat(OWNER.statuses(id)).containsExactly("idle", "running", "paused", "running");
    }

    @Test
    void oneOfManyWhoExpectTheSameVersionWins() {
        String id = newId();

        List<Api.Reply> replies = AtOnce.run(
                40,
                i -> OWNER.post(
                        "/agent-sessions/" + id + (i % 2 == 0 ? "/start" : "/pause"), "{}", "If-Match", "\"v1\""));

        // a pause that finds the session paused already is a repeat, whatever version it expected
        boolean paused = OWNER.session(id).get("status").asText().equals("paused");
        assertThat(byStatus(replies)).isEqualTo(paused ? Map.of(200, 20L, 412, 20L) : Map.of(200, 1L, 412, 39L));
        assertThat(OWNER.session(id).get("version").asInt()).isEqualTo(2);
        assertThat(OWNER.changes(id)).hasSize(2);
    }

    @Test
    void compareAndSetLosesNoUpdate() {
        String path =
                "/agent-sessions/" + OWNER.newSession(workspace, """
                {"agent_type":"assistant","model":"m","task":"0"}""").get("id").asText();

        AtOnce.run(20, _ -> {
            for (int done = 0; done < 8; ) {
                Api.Reply read = OWNER.get(path);
                int count = Integer.parseInt(
                        read.expect(200).at("/session/current_task").asText());
                Api.Reply changed = OWNER.patch(
                        path, "{\"current_task\":\"" + (count + 1) + "\"}", "If-Match", read.header("etag"));
                if (changed.status() == 200) {
                    done++;
                } else {
                    changed.expectProblem(412, "STALE_VERSION");
                }
            }
            return null;
        });

        JsonNode session = OWNER.get(path).expect(200).get("session");
        assertThat(session.get("current_task").asText()).isEqualTo("160");
        assertThat(session.get("version").asInt()).isEqualTo(161);
        assertThat(OWNER.changes(session.get("id").asText()).stream()
                        .filter(event -> event.get("event").asText().equals("agent_task"))
                        .map(event -> event.at("/data/task").asInt()))
                .containsExactlyElementsOf(
                        Stream.iterate(0, i -> i + 1).limit(161).toList());
    }

    @Test
    void oneOfAHundredCreatorsGetsTheChat() {
        String chat = UUID.randomUUID().toString();

        List<Api.Reply> replies = AtOnce.run(100, _ -> create(chat));

        assertThat(byStatus(replies)).isEqualTo(Map.of(201, 1L, 409, 99L));
        assertThat(live()).isEqualTo(1);
        assertThat(OWNER.get("/workspaces/" + workspace + "/agent-sessions")
                        .expect(200)
                        .get("sessions"))
                .hasSize(1);
    }

    @Test
    void aChatChangesHandsWithoutADeadlock() {
        String chat = UUID.randomUUID().toString();
        String current = create(chat).expect(201).at("/session/id").asText();
        for (int round = 0; round < 50; round++) {
            String ending = current;

            List<Api.Reply> replies = AtOnce.run(6, i -> i == 3 ? send(ending, "cancel") : create(chat));

            replies.get(3).expect(200);
            Map<Integer, Long> told = byStatus(replies);
            assertThat(told.keySet()).isSubsetOf(200, 201, 409);
            assertThat(told.getOrDefault(201, 0L)).isLessThanOrEqualTo(1);
            current = replies.stream()
                    .filter(reply -> reply.status() == 201)
                    .findFirst()
                    .orElseGet(() -> create(chat))
                    .expect(201)
                    .at("/session/id")
                    .asText();
        }
        assertThat(live()).isEqualTo(1);
    }

    @Test
    void theQuotaLetsInExactlyAsManyAsThereIsRoomFor() {
        AtOnce.run(5, _ -> newId());
        OWNER.patch("/workspaces/" + workspace, "{\"max_live_sessions\":15}").expect(200);

        List<Api.Reply> replies = AtOnce.run(50, _ -> create(UUID.randomUUID().toString()));

        assertThat(byStatus(replies)).isEqualTo(Map.of(201, 10L, 429, 40L));
        replies.stream().filter(reply -> reply.status() == 429).forEach(reply -> {
            reply.expectProblem(429, "QUOTA_EXCEEDED");
            assertThat(reply.header("retry-after")).isNotNull();
        });
        assertThat(live()).isEqualTo(15);
    }

    @Test
    void aWorkspaceIsDeletedUnderWay() {
        for (int round = 0; round < 5; round++) {
            String doomed = OWNER.newWorkspace();
            List<String> ids = AtOnce.run(
                    12,
                    i -> (i % 2 == 0 ? OWNER.newSession(doomed) : OWNER.newExternalSession(doomed))
                            .get("id")
                            .asText());

            List<List<Api.Reply>> replies = AtOnce.run(7, i -> {
                List<Api.Reply> mine = new ArrayList<>();
                if (i == 0) {
                    mine.add(OWNER.delete("/workspaces/" + doomed));
                    return mine;
                }
                for (int n = 0; n < 6; n++) {
                    String id = ids.get((i * 2 + n) % ids.size());
                    mine.add(
                            switch ((i + n) % 3) {
                                case 0 ->
                                    OWNER.post(
                                            "/workspaces/" + doomed + "/agent-sessions",
                                            "{\"agent_type\":\"assistant\",\"model\":\"m\",\"hosting\":\"external\"}");
                                case 1 -> send(id, "cancel");
                                default -> OWNER.command(id, "heartbeat", "{\"epoch\":1,\"progress\":true}");
                            });
                }
                return mine;
            });

            replies.getFirst().getFirst().expect(200);
            assertThat(replies.stream()
                            .skip(1)
                            .flatMap(List::stream)
                            .map(Api.Reply::status)
                            .distinct())
                    .isSubsetOf(200, 201, 404);
            OWNER.get("/workspaces/" + doomed).expectProblem(404, "NOT_FOUND");
        }
    }
}
