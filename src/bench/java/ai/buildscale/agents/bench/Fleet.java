package ai.buildscale.agents.bench;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Packaged services on one database that know each other, each under a hostname of its own, so that it is told apart. */
final class Fleet implements AutoCloseable {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final Lab lab;
    private final String database;
    private final FleetApi api;
    private final List<Member> members = new ArrayList<>();
    private int started;

    private Fleet(Lab lab, String database) {
        this.lab = lab;
        this.database = database;
        this.api = new FleetApi(lab.token("admin"));
    }

    record Member(PackagedService service, ProcessHandle process, UUID id, String hostname) {
        /** @param name as {@code kill} has it */
        void signal(String name) throws IOException, InterruptedException {
            Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                    .redirectErrorStream(true)
                    .start();
            if (kill.waitFor() != 0) {
                throw new IOException(hostname + " is not there any more");
            }
        }
    }

    static Fleet start(Lab lab, String database, int servers) throws Exception {
        Fleet fleet = new Fleet(lab, database);
        try {
            for (int i = 0; i < servers; i++) {
                fleet.members.add(fleet.startMember());
            }
            fleet.awaitComplete();
            return fleet;
        } catch (Exception e) {
            fleet.close();
            throw e;
        }
    }

    private Member startMember() throws IOException, InterruptedException {
        String hostname = "bench-" + ++started;
        // what a round puts on one server stays there until that server goes
        PackagedService service = lab.service(database, "-Dserver.hostname=" + hostname, "-Dserver.rebalance=false");
        for (JsonNode server : api.get(service, "/servers").get("servers")) {
            if (server.get("hostname").asText().equals(hostname)) {
                UUID id = UUID.fromString(server.get("id").asText());
                return new Member(service, service.process().handle(), id, hostname);
            }
        }
        service.close();
        throw new IllegalStateException(hostname + " is ready, but not among the servers");
    }

    Member member(int index) {
        return members.get(index);
    }

    /** Another than this one. */
    Member other(Member member) {
        return members.stream().filter(one -> !one.equals(member)).findFirst().orElseThrow();
    }

    /** A new server in the place of one that has gone, or now does. */
    void replace(Member gone) throws Exception {
        gone.process().destroyForcibly();
        gone.service().close();
        members.set(members.indexOf(gone), startMember());
        awaitComplete();
    }

    /** Asks another server to drain this one. */
    CompletableFuture<JsonNode> drain(Member member) {
        return api.post(other(member).service(), "/servers/" + member.id() + "/drain");
    }

    /** When the others noticed that it had gone. */
    Instant goneAt(Member member) throws IOException, InterruptedException {
        return Instant.parse(server(member).get("gone_at").asText());
    }

    private JsonNode server(Member member) throws IOException, InterruptedException {
        return api.get(other(member).service(), "/servers/" + member.id()).get("server");
    }

    private void awaitComplete() throws IOException, InterruptedException {
        Set<String> wanted = new TreeSet<>();
        members.forEach(member -> wanted.add(member.id().toString()));
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!wanted.equals(active())) {
            retry(deadline, "the fleet is " + active() + ", not " + wanted);
        }
    }

    private Set<String> active() throws IOException, InterruptedException {
        Set<String> active = new TreeSet<>();
        for (JsonNode server : api.get(members.getLast().service(), "/servers").get("servers")) {
            if (server.get("state").asText().equals("active")) {
                active.add(server.get("id").asText());
            }
        }
        return active;
    }

    private static void retry(long deadline, String otherwise) throws InterruptedException {
        if (System.nanoTime() > deadline) {
            throw new IllegalStateException(otherwise);
        }
        Thread.sleep(100);
    }

    @Override
    public void close() {
        members.forEach(member -> member.service().close());
        api.close();
    }
}
