package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawStream;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import ai.buildscale.agents.testing.Tokens;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What keeps a stream open, what ends it, and what becomes of the positions that retention removes. */
class StreamLifeIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "events.keep-alive", "1S",
                "events.retention", "1H",
                "sweeps.retention-interval", "1S"));
        owner = Api.user(service).amongNewer();
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    private static SseStream follow(Api who, String workspaceId) {
        return who.stream("/workspaces/" + workspaceId + "/events");
    }

    /** A stream that cannot be served now is no error: EventSource would give up for good. */
    private static void assertComesAgain(SseStream stream) {
        assertThat(stream.status()).isEqualTo(200);
        assertThat(stream.header("content-type")).startsWith("text/event-stream");
        stream.awaitEnd();
        assertThat(Integer.parseInt(stream.retry())).isBetween(1_500, 2_500);
        assertThat(stream.events()).isEmpty();
        assertThat(stream.lastId()).isNull();
    }

    private static Api newMember(String workspaceId) {
        Api member = Api.user(service);
        owner.addMember(workspaceId, member, "viewer");
        return member;
    }

    @Test
    void silentStreamGetsComments() {
        Chat chat = Chat.open(owner, workspace);
        try (SseStream stream = chat.stream()) {
            await().atMost(Duration.ofSeconds(10)).until(() -> stream.comments().size() >= 2);

            assertThat(stream.events()).isEmpty();
            chat.does("start");
            stream.awaitStatus("running");
        }
    }

    @Test
    void endsWithTheToken() {
        Api brief = Api.withToken(service, owner.userId(), Tokens.of(owner.userId(), Duration.ofSeconds(5)));
        Chat chat = Chat.open(owner, workspace);
        try (SseStream ending = chat.as(brief).stream();
                SseStream ofWorkspace = follow(brief, workspace);
                SseStream staying = chat.stream()) {
            chat.does("start");
            ending.awaitStatus("running");
            ofWorkspace.awaitStatus("running");

            ending.awaitEnd();
            ofWorkspace.awaitEnd();
            for (SseStream ended : List.of(ending, ofWorkspace)) {
                assertThat(ended.events().getLast().type()).isEqualTo("token_expired");
                assertThat(ended.events().getLast().text("at")).isNotEmpty();
            }

            brief.get(chat.path()).expectProblem(401, "INVALID_TOKEN");
            chat.does("pause");
            staying.awaitStatus("paused");
            assertThat(ending.statuses()).containsExactly("running");
        }
    }

    @Test
    void endsWithTheTokenThatAStreamTokenWasIssuedOn() {
        Api brief = Api.withToken(service, owner.userId(), Tokens.of(owner.userId(), Duration.ofSeconds(5)));
        Chat chat = Chat.open(owner, workspace);
        String token = brief.post("/stream-tokens", "{\"path\":\"/api/v1" + chat.path() + "\"}")
                .expect(200)
                .get("stream_token")
                .asText();
        try (SseStream stream = Api.withToken(service, null, null).stream(chat.path() + "?stream_token=" + token)) {
            chat.does("start");
            stream.awaitStatus("running");

            stream.awaitEnd();
            assertThat(stream.events().getLast().type()).isEqualTo("token_expired");
        }
    }

    /** Read at 400 kB/s, what there is would take 40 s. */
    @Test
    void readerWhoIsStillInThePastIsToldThatTheTokenHasEnded() {
        Api brief = Api.withToken(service, owner.userId(), Tokens.of(owner.userId(), Duration.ofSeconds(4)));
        Chat chat = Chat.open(owner, workspace);
        chat.append(service.databaseUrl(), 400, 40_000);
        try (RawStream slow = RawStream.open(brief, chat.path(), "Last-Event-ID", "0", "Connection", "close")) {
            await().atMost(Duration.ofSeconds(25))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> !slow.read(20_000));

            assertThat(slow.ids()).hasSizeLessThan(350);
            assertThat(slow.text()).contains("event: token_expired\n");
        }
    }

    @Test
    void endsWithTheMembershipHoweverThatEnds() {
        Api removed = newMember(workspace);
        Api leaving = newMember(workspace);
        Api forgotten = newMember(workspace);
        Api staying = newMember(workspace);
        Chat chat = Chat.open(owner, workspace);
        try (SseStream ofRemoved = chat.as(removed).stream();
                SseStream ofLeaving = follow(leaving, workspace);
                SseStream ofForgotten = follow(forgotten, workspace);
                SseStream ofStaying = follow(staying, workspace)) {
            owner.delete("/workspaces/" + workspace + "/members/" + removed.userId());
            leaving.delete("/workspaces/" + workspace + "/members/" + leaving.userId());
            Postgres.execute(
                    service.databaseUrl(), "delete from workspace_members where user_id = ?", forgotten.userId());

            for (SseStream ended : List.of(ofRemoved, ofLeaving, ofForgotten)) {
                ended.awaitEnd();
            }
            chat.does("start");
            ofStaying.awaitStatus("running");
            chat.as(removed).owner().get(chat.path()).expectProblem(403, "FORBIDDEN");
        }
    }

    /** Read at 400 kB/s, what there is would take 40 s. */
    @Test
    void readerWhoIsStillInThePastIsCutWithTheMembership() {
        Api member = newMember(workspace);
        Chat chat = Chat.open(owner, workspace);
        chat.append(service.databaseUrl(), 4_000, 4_000);
        try (RawStream slow = RawStream.open(member, chat.path(), "Last-Event-ID", "0")) {
            assertThat(slow.read(100_000)).isTrue();
            Postgres.execute(service.databaseUrl(), "delete from workspace_members where user_id = ?", member.userId());

            await().atMost(Duration.ofSeconds(25))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> !slow.read(20_000));

            assertThat(slow.ids()).hasSizeLessThan(3_500);
        }
    }

    @Test
    void fullServerTakesNoMoreStreamsAndStaysWell() {
        try (Service small = Service.start(service.databaseUrl(), Map.of("events.max-streams", "1"))) {
            Api there = owner.at(small);
            try (SseStream stream = follow(there, workspace)) {
                assertThat(stream.status()).isEqualTo(200);
                await().untilAsserted(() -> {
                    try (SseStream next = follow(there, workspace)) {
                        assertComesAgain(next);
                    }
                });
                assertThat(small.metric("events_streams_refused_total{reason=\"full\"}"))
                        .isPositive();
                there.get("/workspaces/" + workspace).expect(200);
                assertThat(small.statusOf("/q/health/ready")).isEqualTo(200);
            }
            await().untilAsserted(() -> {
                try (SseStream next = follow(there, workspace)) {
                    assertThat(next.status()).isEqualTo(200);
                }
            });
        }
    }

    @Test
    void fullServerIsFullForManyWhoComeAtOnce() throws Exception {
        try (Service small = Service.start(service.databaseUrl(), Map.of("events.max-streams", "3"));
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Api there = owner.at(small);
            List<Future<SseStream>> all = IntStream.range(0, 200)
                    .mapToObj(_ -> threads.submit(() -> follow(there, workspace)))
                    .toList();
            List<SseStream> streams = new ArrayList<>();
            for (Future<SseStream> one : all) {
                streams.add(one.get());
            }
            try {
                assertThat(streams)
                        .allSatisfy(stream -> assertThat(stream.status()).isEqualTo(200));
                await().until(() -> streams.stream().filter(SseStream::isEnded).count() == 197);
                assertThat(small.metric("events_streams_open")).isEqualTo(3);
            } finally {
                streams.forEach(SseStream::close);
            }
            await().untilAsserted(() ->
                    assertThat(small.metric("events_streams_open")).isZero());
        }
    }

    @Test
    void endsAtOnceWhenItsServerStops() {
        Service stopping = Service.start(service.databaseUrl(), Map.of());
        try (SseStream stream = owner.at(stopping).stream("/workspaces/" + workspace + "/events?snapshot=true")) {
            stream.awaitCount(1);
            Instant begin = Instant.now();

            stopping.close();

            stream.awaitEnd();
            assertThat(Duration.between(begin, Instant.now())).isLessThan(Duration.ofSeconds(4));
            assertThat(stopping.log()).doesNotContain("Timed out waiting");
        }
    }

    @Test
    void endsWithTheWorkspace() {
        String doomed = owner.newWorkspace();
        Api member = newMember(doomed);
        Api admin = Api.user(service, "admin");
        Chat chat = Chat.open(owner, doomed);
        try (SseStream ofOwner = chat.stream();
                SseStream ofMember = follow(member, doomed);
                SseStream ofAdmin = follow(admin, doomed);
                SseStream elsewhere = follow(admin, workspace)) {
            assertThat(owner.delete("/workspaces/" + doomed).status()).isIn(200, 204);

            for (SseStream ended : List.of(ofOwner, ofMember, ofAdmin)) {
                ended.awaitEnd();
            }
            admin.get(chat.path()).expectProblem(404, "NOT_FOUND");
            Chat.open(owner, workspace);
            elsewhere.awaitStatus("idle");
        }
    }

    @Test
    void positionThatRetentionRemovedGetsAResetAndASnapshot() {
        Chat chat = Chat.open(owner, workspace).does("start", "pause");
        List<String> ids = owner.history(chat.sessionId()).stream()
                .map(event -> event.get("position").asText())
                .toList();
        assertThat(Postgres.execute(
                        service.databaseUrl(),
                        "update events set at = at - interval '2 hours' where position <= ?",
                        Long.parseLong(ids.get(1))))
                .isGreaterThanOrEqualTo(2);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> owner.history(chat.sessionId()).size() == 1);

        for (String path : List.of(chat.path(), "/workspaces/" + workspace + "/events")) {
            try (SseStream gone = owner.stream(path, "Last-Event-ID", ids.getFirst());
                    SseStream goneWithSnapshot = owner.stream(path + "?snapshot=true", "Last-Event-ID", "0");
                    SseStream held = owner.stream(path, "Last-Event-ID", ids.get(1))) {
                for (SseStream reset : List.of(gone, goneWithSnapshot)) {
                    reset.awaitCount(2);
                    assertThat(reset.events()).extracting(SseStream.Event::type).containsExactly("reset", "snapshot");
                    assertThat(reset.events().get(1).data().get("sessions").valueStream())
                            .anySatisfy(session -> {
                                assertThat(session.get("id").asText()).isEqualTo(chat.sessionId());
                                assertThat(session.get("status").asText()).isEqualTo("paused");
                            });
                }
                held.awaitStatus("paused");
                assertThat(held.ids().getFirst()).isEqualTo(ids.get(2));
            }
        }
        try (SseStream reset = chat.streamAfter("0")) {
            reset.awaitCount(2);
            try (SseStream goesOn = chat.streamAfter(reset.lastId())) {
                chat.does("resume");
                goesOn.awaitStatus("running");
                assertThat(goesOn.events()).hasSize(1);
                reset.awaitStatus("running");
                assertThat(reset.events()).hasSize(3);
            }
        }
    }

    /** Pruned while a reader is on its way through them: it is cut, and learns of the gap when it comes again. */
    @Test
    void readerThatRetentionOvertakesLearnsOfTheGap() {
        Chat chat = Chat.open(owner, workspace);
        chat.append(service.databaseUrl(), 4_000, 4_000);
        List<String> all = owner.history(chat.sessionId()).stream()
                .map(event -> event.get("position").asText())
                .toList();
        try (RawStream slow = RawStream.open(owner, chat.path(), "Last-Event-ID", "0")) {
            slow.read(100_000);
            Postgres.execute(
                    service.databaseUrl(),
                    "update events set at = at - interval '2 hours' where chat_id = ? and position <= ?",
                    UUID.fromString(chat.chatId()),
                    Long.parseLong(all.get(3_500)));
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> owner.history(chat.sessionId()).size() == 500);
            slow.drain();

            List<String> received = slow.ids();
            assertThat(received).isEqualTo(all.subList(0, received.size())).hasSizeLessThan(3_500);
            try (SseStream again = chat.streamAfter(received.getLast())) {
                again.awaitCount(2);
                assertThat(again.events().getFirst().type()).isEqualTo("reset");
            }
        }
    }
}
