package ai.buildscale.agents.server;

import ai.buildscale.agents.bench.simulation.Agenda;
import ai.buildscale.agents.bench.simulation.Cost;
import ai.buildscale.agents.bench.simulation.Postgres;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/**
 * What wake-ups make a server of a {@link SimulatedFleet} do: tell the others, read the log's tail if it has streams, look
 * for work if it is named. As {@code Notifier}, {@code EventTail} and {@code CommandDelivery} do, and as seldom.
 */
final class SimulatedListener {
    /** {@code events.notify-interval}. */
    private static final Duration BETWEEN_NOTIFICATIONS = Duration.ofMillis(5);
    /** {@code events.coalesce}. */
    private static final Duration BETWEEN_READS = Duration.ofMillis(4);
    /** The rows that the tail reads in one go. */
    private static final int TAIL_BATCH = 1_000;

    private final SimulatedFleet fleet;
    private final SimulatedServer server;
    private final Agenda agenda;
    private final Postgres postgres;
    private final Set<UUID> concerned = new HashSet<>();
    private boolean notifying;
    private boolean notifyAgain;
    private boolean reading;
    private boolean readAgain;
    private long read;
    private long readAt;
    private boolean working;
    private boolean workAgain;

    SimulatedListener(SimulatedFleet fleet, SimulatedServer server) {
        this.fleet = fleet;
        this.server = server;
        this.agenda = fleet.agenda();
        this.postgres = fleet.postgres();
        this.read = fleet.events();
    }

    /** The position up to which it has read the log. */
    long read() {
        return read;
    }

    void tell(Set<UUID> servers) {
        woken(servers);
        concerned.addAll(servers);
        notifyAgain = true;
        if (!notifying) {
            notifying = true;
            send();
        }
    }

    private void send() {
        notifyAgain = false;
        Set<UUID> named = Set.copyOf(concerned);
        concerned.clear();
        postgres.execute(
                Cost.NOTIFY,
                1,
                Cost.NOTIFY.micros(1),
                () -> {
                    fleet.heard(server, named);
                    agenda.in(BETWEEN_NOTIFICATIONS, this::rested);
                },
                () -> agenda.in(BETWEEN_NOTIFICATIONS, this::rested));
    }

    private void rested() {
        notifying = notifyAgain;
        if (notifyAgain) {
            send();
        }
    }

    void woken(Set<UUID> named) {
        readTail();
        if (named.contains(server.id())) {
            work();
        }
    }

    /** Beneath the wake-ups. */
    void poll() {
        readTail();
    }

    private void work() {
        workAgain = true;
        if (!working) {
            working = true;
            workAgain = false;
            postgres.execute(Cost.WORK, 3, Cost.WORK.micros(1), this::worked, this::worked);
        }
    }

    private void worked() {
        working = false;
        if (workAgain) {
            work();
        }
    }

    private void readTail() {
        if (!fleet.options().streams() || !server.isAlive()) {
            return;
        }
        if (reading) {
            readAgain = true;
            return;
        }
        reading = true;
        readAgain = false;
        agenda.at(readAt + BETWEEN_READS.toNanos(), this::fetch);
    }

    private void fetch() {
        readAt = agenda.now();
        long rows = Math.min(TAIL_BATCH, fleet.events() - read);
        postgres.execute(
                Cost.TAIL,
                1,
                Cost.TAIL.micros(rows),
                () -> {
                    read += rows;
                    if (rows == TAIL_BATCH) {
                        fetch();
                    } else {
                        reading = false;
                        if (readAgain) {
                            readTail();
                        }
                    }
                },
                () -> reading = false);
    }
}
