package ai.buildscale.agents.server;

import ai.buildscale.agents.bench.simulation.Agenda;
import ai.buildscale.agents.bench.simulation.Cost;
import ai.buildscale.agents.bench.simulation.Postgres;
import ai.buildscale.agents.bench.simulation.Sessions;
import ai.buildscale.agents.bench.simulation.Sessions.Batch;
import ai.buildscale.agents.server.SimulatedTable.Row;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Servers on one Postgres that watch each other, recover and rebalance: time, the database and the sessions are simulated;
 * who is lost, who takes and who gives is decided by the service's own {@link FailureDetector}, {@link PlacementPolicy}, {@link
 * RecentPlacements} and {@link RebalancePolicy}, with its own defaults.
 */
public final class SimulatedFleet {
    private static final long FIRST_ID = 0x0199_0000_0000_7000L;

    private final Agenda agenda;
    private final Postgres postgres;
    private final Sessions sessions;
    private final Random random;
    private final Options options;
    private final ServerConfig config = DefaultConfig.read();
    private final SimulatedTable table;
    private final List<SimulatedServer> servers = new ArrayList<>();
    private long events;
    private final Told told = new Told();

    /**
     * What is not as in the service, or not the same in every fleet.
     *
     * @param streams whether each server has a stream open, and so reads the log
     * @param sample how many members, drawn anew for each batch, a server considers as its targets; 0 for all of them, as
     *     the service does
     */
    public record Options(boolean streams, int sample) {}

    /** What has happened in the fleet; times are in seconds, -1 for never. */
    public static final class Told {
        double firstLost = -1;
        double lastLost = -1;
        double lastRecovered = -1;
        double lastRebalanced = -1;
        int lost;
        int fenced;
        int demoted;
        long recovered;
        long rebalanced;
        final List<Integer> perCycle = new ArrayList<>();

        public double firstLost() {
            return firstLost;
        }

        public double lastLost() {
            return lastLost;
        }

        public double lastRecovered() {
            return lastRecovered;
        }

        public double lastRebalanced() {
            return lastRebalanced;
        }

        /** Members that were given up, those that live too. */
        public int lost() {
            return lost;
        }

        /** Servers that found that they had been given up. */
        public int fenced() {
            return fenced;
        }

        /** How often a server stopped acting as an owner because it could not renew in time. */
        public int demoted() {
            return demoted;
        }

        public long recovered() {
            return recovered;
        }

        public long rebalanced() {
            return rebalanced;
        }

        /** Sessions moved for balance in each ten seconds since the beginning. */
        public List<Integer> rebalancedPerCycle() {
            return List.copyOf(perCycle);
        }
    }

    public SimulatedFleet(Agenda agenda, Postgres postgres, Sessions sessions, long seed, Options options) {
        this.agenda = agenda;
        this.postgres = postgres;
        this.sessions = sessions;
        this.random = new Random(seed);
        this.options = options;
        this.table = new SimulatedTable(sessions, config);
    }

    Agenda agenda() {
        return agenda;
    }

    Postgres postgres() {
        return postgres;
    }

    Sessions sessions() {
        return sessions;
    }

    Random random() {
        return random;
    }

    Options options() {
        return options;
    }

    ServerConfig config() {
        return config;
    }

    SimulatedTable table() {
        return table;
    }

    /** What has happened so far. */
    public Told told() {
        return told;
    }

    UUID nextId() {
        return new UUID(FIRST_ID + ((long) table.rows().size() << 16), random.nextLong());
    }

    /** So many more servers, that come one after the other within the renewal of a lease. */
    public void join(int count) {
        for (int i = 0; i < count; i++) {
            SimulatedServer server = new SimulatedServer(this);
            servers.add(server);
            agenda.at(agenda.now() + within(config.leaseRenewal().toNanos()), server::start);
        }
    }

    long within(long nanos) {
        return (long) (random.nextDouble() * nanos);
    }

    /** Puts every session on a server, at random. */
    public void fill() {
        for (int session = 0; session < sessions.size(); session++) {
            sessions.place(session, servers.get(random.nextInt(servers.size())).number());
        }
    }

    /** Puts every session on the first server. */
    public void fillFirst() {
        for (int session = 0; session < sessions.size(); session++) {
            sessions.place(session, servers.getFirst().number());
        }
    }

    /** Kills so many servers at once, drawn at random: their connections are gone, their leases are not. */
    public void kill(int count) {
        List<SimulatedServer> drawn = new ArrayList<>(servers);
        Collections.shuffle(drawn, random);
        drawn.stream().limit(count).forEach(SimulatedServer::kill);
    }

    public void killFirst() {
        servers.getFirst().kill();
    }

    /** Its connections stay, and nobody renews its lease. */
    public void stopFirst() {
        servers.getFirst().stop();
    }

    /** From now on each server commits so many changes a second, each with an event and work for one owner. */
    public void change(double perServer) {
        servers.forEach(server -> server.change(perServer));
    }

    /** How many sessions belong to members that no process stands behind. */
    public long orphans() {
        long owned = servers.stream()
                .filter(SimulatedServer::isAlive)
                .mapToLong(server -> sessions.count(server.number()))
                .sum();
        return sessions.size() - owned;
    }

    /** What each living server owns. */
    public long[] counts() {
        return servers.stream()
                .filter(SimulatedServer::isAlive)
                .mapToLong(server -> sessions.count(server.number()))
                .toArray();
    }

    /** The batches that each living server has handed over for those that were lost. */
    public long[] batches() {
        return servers.stream()
                .filter(SimulatedServer::isAlive)
                .mapToLong(SimulatedServer::batches)
                .toArray();
    }

    /** How many of the events the slowest living server has not read. */
    public long unread() {
        return servers.stream()
                .filter(SimulatedServer::isAlive)
                .mapToLong(server -> events - server.read())
                .max()
                .orElse(0);
    }

    long events() {
        return events;
    }

    /** Committed by somebody, who then tells the others. */
    void appended(int count) {
        events += count;
    }

    /** A notification that all the others hear. */
    void heard(SimulatedServer from, Set<UUID> concerned) {
        int hearing = 0;
        for (SimulatedServer server : servers) {
            if (server != from && server.isAlive()) {
                hearing++;
                server.woken(concerned);
            }
        }
        postgres.execute(Cost.HEAR, hearing, Cost.HEAR.micros(hearing), () -> {}, () -> {});
    }

    /** Gives servers up, as the statement does: a lease that has been renewed meanwhile counts. */
    int declareLost(FailureDetector.Suspects suspects) {
        int count = 0;
        for (Row row : table.rows()) {
            boolean late = suspects.byLease().contains(row.id)
                    && agenda.now() - row.renewedAt > config.lostAfter().toNanos();
            boolean vanished = suspects.byConnection().contains(row.id) && row.watched && !row.present;
            if (!row.isLost() && (late || vanished)) {
                row.lostAt = agenda.now();
                count++;
            }
        }
        if (count > 0) {
            told.lost += count;
            told.lastLost = agenda.seconds();
            told.firstLost = told.firstLost < 0 ? told.lastLost : told.firstLost;
        }
        return count;
    }

    /**
     * Hands over a batch, as the statement does: those that it locks are passed by others, and whoever is no longer fit
     * gets none.
     *
     * @param done gets how many there were
     */
    void handOver(List<UUID> from, HandoverTargets targets, int atMost, IntConsumer done, Runnable givenUp) {
        long now = agenda.now();
        List<UUID> fit = targets.servers().stream()
                .filter(id -> table.isFit(id, targets.lostAfter(), now))
                .sorted()
                .toList();
        int[] sources = from.stream().mapToInt(id -> table.get(id).number).toArray();
        Batch batch = sessions.lock(sources, fit.isEmpty() ? 0 : atMost);
        double micros = Cost.HAND_OVER.micros(batch.size())
                + batch.locked() * Cost.LOCKED_MICROS
                + batch.left() * Cost.LEFT_MICROS
                + (sources.length - 1) * Cost.SOURCE_MICROS;
        int[] to = IntStream.range(0, batch.size())
                .mapToObj(turn -> targets.turns().get(turn % targets.turns().size()))
                .map(id -> fit.contains(id) ? id : fit.getFirst())
                .mapToInt(id -> table.get(id).number)
                .toArray();
        postgres.execute(
                Cost.HAND_OVER,
                1,
                micros,
                () -> {
                    sessions.commit(batch, to);
                    appended(batch.size());
                    done.accept(batch.size());
                },
                () -> {
                    sessions.undo(batch);
                    givenUp.run();
                });
    }
}
