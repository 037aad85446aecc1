package ai.buildscale.agents.bench;

import java.util.concurrent.CompletableFuture;

/** The ways in which a server goes, and what its sessions are told then. */
enum Departure {
    KILLED(
            "`kill -9` → the last of {n} sessions re-owned",
            "agent_recovered",
            "connection_lost",
            "≤ 2.5 s",
            "Pekko, tuned: 13.9 s; Orleans: about 15 s to notice (not run here)") {
        @Override
        CompletableFuture<?> begin(Fleet fleet, Fleet.Member member) throws Exception {
            member.signal("KILL");
            return DONE;
        }
    },
    STOPPED(
            "`kill -STOP` → the last of {n} sessions re-owned",
            "agent_recovered",
            "lease_expired",
            "≤ 7.5 s",
            "its lease: 6 s") {
        @Override
        CompletableFuture<?> begin(Fleet fleet, Fleet.Member member) throws Exception {
            member.signal("STOP");
            return DONE;
        }

        @Override
        void end(Fleet.Member member) throws Exception {
            member.signal("CONT");
        }
    },
    TERMINATED("`SIGTERM` → the last of {n} sessions handed over", "agent_migrated", "drain", "≤ 2 s", "") {
        @Override
        CompletableFuture<?> begin(Fleet fleet, Fleet.Member member) throws Exception {
            member.signal("TERM");
            return DONE;
        }
    },
    DRAINED("`POST /servers/{id}/drain` → the last of {n} handed over", "agent_migrated", "drain", "≤ 2 s", "") {
        @Override
        CompletableFuture<?> begin(Fleet fleet, Fleet.Member member) {
            return fleet.drain(member);
        }
    };

    private static final CompletableFuture<?> DONE = CompletableFuture.completedFuture(null);

    private final String what;
    private final String event;
    private final String reason;
    private final String reach;
    private final String elsewhere;

    Departure(String what, String event, String reason, String reach, String elsewhere) {
        this.what = what;
        this.event = event;
        this.reason = reason;
        this.reach = reach;
        this.elsewhere = elsewhere;
    }

    /** Lets the server go; what is emitted ends when that was answered. */
    abstract CompletableFuture<?> begin(Fleet fleet, Fleet.Member member) throws Exception;

    /** Wakes it where it only slept: it must find that it owns nothing any more. */
    void end(Fleet.Member member) throws Exception {}

    /** Whether the others have to notice it by themselves. */
    boolean isUnannounced() {
        return event.equals("agent_recovered");
    }

    String what(int sessions) {
        return what.replace("{n}", Report.thousands(sessions));
    }

    String event() {
        return event;
    }

    String reason() {
        return reason;
    }

    String reach() {
        return reach;
    }

    String elsewhere() {
        return elsewhere;
    }
}
