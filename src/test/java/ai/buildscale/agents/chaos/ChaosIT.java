package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What three servers on one Postgres survive under load. {@code make chaos} runs it for long and with the usual leases;
 * {@code SEED} repeats the choices of a run.
 */
@Tag("jvm")
class ChaosIT {
    private static final Scale SCALE = Scale.ofRun();
    private static final Duration NOTICED = Duration.ofSeconds(5);
    /**
     * What a transaction has locked that its server does not end, Postgres frees after this long: the
     * idle_in_transaction_session_timeout. Until then the session is passed over by those who take what the server owned.
     */
    private static final Duration ABANDONED = Duration.ofSeconds(2);

    private static final Duration READY_AGAIN = Duration.ofSeconds(5);

    private static Fleet fleet;

    @BeforeAll
    static void start() {
        say("seed " + SCALE.seed());
        fleet = Fleet.start(SCALE);
    }

    @AfterAll
    static void stop() {
        fleet.close();
    }

    @SuppressWarnings("SystemOut")
    private static void say(String line) {
        System.out.println("chaos: " + line);
    }

    /** What must be so once all has been judged. */
    private interface Afterwards {
        void hold() throws Exception;
    }

    /** What goes wrong while the load flows. */
    private interface Fault {
        Afterwards strike(Round round) throws Exception;
    }

    private static void survive(String name, Fault fault) {
        for (int i = 0; i < SCALE.rounds(); i++) {
            try {
                fleet.fill();
                try (Round round = Round.begin(fleet, SCALE, SCALE.seed() + 1_000L * i + name.hashCode())) {
                    round.flow();
                    Instant began = Instant.now();
                    Afterwards afterwards = fault.strike(round);
                    long took = Duration.between(began, Instant.now()).toMillis();
                    round.flow();
                    round.judge();
                    afterwards.hold();
                    say(name + ": " + round.summary() + "; it took " + took + " ms");
                }
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        name + " did harm (again with -Dchaos.seed=" + SCALE.seed() + "): " + e.getMessage(), e);
            }
        }
    }

    /** How long a server that is not heard of may keep what it owns. */
    private static Duration lapse() {
        return SCALE.lostAfter().plus(ABANDONED).plus(NOTICED);
    }

    /** What was taken from each server was taken once and for this reason. */
    private static void requireTaken(Round round, String reason, String... servers) {
        int all = 0;
        for (String server : servers) {
            List<JsonNode> taken = round.takenFrom(server);
            assertThat(taken).allMatch(data -> data.get("reason").asText().equals(reason), "for " + reason);
            assertThat(taken.stream().map(data -> data.get("session_id").asText()))
                    .doesNotHaveDuplicates();
            all += taken.size();
        }
        assertThat(all).as("what was taken").isPositive();
    }

    @Test
    void anOwnerIsKilled() {
        survive("kill -9 of an owner", round -> {
            Fleet.Member victim = round.biggestOwner();
            String id = fleet.idOf(victim);
            fleet.kill(List.of(victim));
            round.awaitNothingOwnedBy(id, NOTICED);
            assertThat(fleet.row(id).get("state").asText()).isEqualTo("gone");
            return () -> requireTaken(round, "connection_lost", id);
        });
    }

    @Test
    void anOwnerHangsPastItsLeaseAndWakes() {
        survive("SIGSTOP past the lease", round -> {
            Fleet.Member zombie = round.biggestOwner();
            String before = fleet.idOf(zombie);
            // not closed before it is judged: this one never leaves the zombie
            Follower loyal = round.follow(zombie);
            zombie.signal("STOP");
            try {
                round.awaitNothingOwnedBy(before, lapse());
                round.flow();
            } finally {
                zombie.signal("CONT");
            }
            String after = awaitRejoined(zombie, before);
            return () -> {
                requireTaken(round, "lease_expired", before);
                assertThat(round.takenFrom(after)).as("it keeps what it gets").isEmpty();
                try (loyal) {
                    round.requireComplete(loyal);
                }
            };
        });
    }

    /** Waits until the member is in the fleet under a fresh id, and its old one is gone for good. */
    private static String awaitRejoined(Fleet.Member member, String before) {
        await(member.hostname() + " joins again")
                .atMost(lapse().plusSeconds(10))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> {
                    String now = fleet.idOf(member);
                    return now != null && !now.equals(before);
                });
        assertThat(fleet.row(before).get("state").asText()).isEqualTo("gone");
        await().atMost(READY_AGAIN).until(() -> member.service().statusOf("/q/health/ready") == 200);
        return fleet.idOf(member);
    }

    @Test
    void anOwnerIsShutDown() {
        survive("SIGTERM under load", round -> {
            Fleet.Member victim = round.biggestOwner();
            String id = fleet.idOf(victim);
            fleet.shutDown(victim);
            assertThat(round.ownedBy(id)).as("what it owned when it was gone").isZero();
            assertThat(fleet.row(id).get("state").asText()).isEqualTo("gone");
            requireOnlyTheirs(round, List.of(victim));
            return () -> requireTaken(round, "drain", id);
        });
    }

    private static void requireOnlyTheirs(Round round, List<Fleet.Member> stopped) {
        assertThat(round.unavailable().keySet())
                .as("who answered 503")
                .isSubsetOf(stopped.stream().map(Fleet.Member::hostname).toList());
    }

    @Test
    void allAreRestartedInTurn() {
        survive("a rolling restart", round -> {
            List<Fleet.Member> old = fleet.members();
            List<String> ids = ids(old);
            for (Fleet.Member member : old) {
                fleet.shutDown(member);
                fleet.fill();
            }
            requireOnlyTheirs(round, old);
            return () -> requireTaken(round, "drain", ids.toArray(String[]::new));
        });
    }

    private static List<String> ids(List<Fleet.Member> members) {
        return members.stream().map(fleet::idOf).toList();
    }

    @Test
    void allAreKilledAtOnce() {
        survive("kill -9 of all at once", round -> {
            List<String> ids = ids(fleet.members());
            fleet.kill(fleet.members());
            fleet.fill();
            ids.forEach(id -> round.awaitNothingOwnedBy(id, lapse()));
            return () -> assertThat(ids)
                    .as("whose sessions were recovered")
                    .anyMatch(id -> !round.takenFrom(id).isEmpty());
        });
    }

    @Test
    void postgresCrashes() {
        survive("a crash of Postgres", round -> {
            fleet.postgres().crash();
            // sometimes shorter than a lease, sometimes longer
            long outage = round.random().nextLong(200, 2 * SCALE.lostAfter().toMillis());
            TimeUnit.MILLISECONDS.sleep(outage);
            fleet.postgres().restart();
            Instant back = Instant.now();
            List<Fleet.Member> waiting = new ArrayList<>(fleet.members());
            await("all are ready again after an outage of " + outage + " ms")
                    .atMost(READY_AGAIN)
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> {
                        waiting.removeIf(member -> member.service().statusOf("/q/health/ready") == 200);
                        return waiting.isEmpty();
                    });
            say("Postgres was away for " + outage + " ms; all were ready "
                    + Duration.between(back, Instant.now()).toMillis() + " ms after it was back");
            return () -> {};
        });
    }

    @Test
    void anOwnerIsCutOffFromPostgres() {
        survive("a server cut off from Postgres", round -> {
            Fleet.Member member = round.biggestOwner();
            String before = fleet.idOf(member);
            member.relay().cut();
            try {
                round.awaitNothingOwnedBy(before, lapse());
                round.flow();
            } finally {
                member.relay().heal();
            }
            awaitRejoined(member, before);
            return () -> requireTaken(round, "lease_expired", before);
        });
    }
}
