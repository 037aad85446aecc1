package ai.buildscale.agents.bench.simulation;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * One Postgres as the simulation has it: so many cores, which the statements share evenly, none of them faster than one
 * core alone. What is not done in time is given up, and its work is lost. Disks, the network and waiting for locks are
 * left out.
 */
public final class Postgres {
    /** {@code database.timeout}: callers wait no longer, and a moment later Postgres gives up the statement too. */
    public static final Duration PATIENCE = Duration.ofSeconds(4);

    private static final class Running implements Comparable<Running> {
        final Cost cost;
        final double begunAt;
        final double endsAt;
        final long deadline;
        final Runnable done;
        final Runnable givenUp;
        boolean over;

        Running(Cost cost, double begunAt, double endsAt, long deadline, Runnable done, Runnable givenUp) {
            this.cost = cost;
            this.begunAt = begunAt;
            this.endsAt = endsAt;
            this.deadline = deadline;
            this.done = done;
            this.givenUp = givenUp;
        }

        @Override
        public int compareTo(Running other) {
            return Double.compare(endsAt, other.endsAt);
        }
    }

    private final Agenda agenda;
    private final double cores;
    private final PriorityQueue<Running> byEnd = new PriorityQueue<>();
    private final Deque<Running> byDeadline = new ArrayDeque<>();
    private final Map<Cost, Tally> tallies = new EnumMap<>(Cost.class);
    private long[] perSecond = new long[1_024];
    private int running;
    /** What a statement has had that has run since the beginning, in nanoseconds of a core. */
    private double progress;

    private long progressAt;
    private long plannedAt = Long.MAX_VALUE;

    public Postgres(Agenda agenda, double cores) {
        this.agenda = agenda;
        this.cores = cores;
    }

    /** Runs a statement, or several of a kind that follow each other, with so much work altogether. */
    public void execute(Cost cost, int count, double micros, Runnable done, Runnable givenUp) {
        advance();
        count(cost, new Tally(count, 0, 0));
        int second = (int) (agenda.now() / 1_000_000_000L);
        if (second >= perSecond.length) {
            perSecond = Arrays.copyOf(perSecond, second * 2);
        }
        perSecond[second] += count;
        Running fresh =
                new Running(cost, progress, progress + micros * 1e3, agenda.now() + PATIENCE.toNanos(), done, givenUp);
        byEnd.add(fresh);
        byDeadline.add(fresh);
        running++;
        plan();
    }

    private double speed() {
        return running == 0 ? 1 : Math.min(1, cores / running);
    }

    private void advance() {
        progress += (agenda.now() - progressAt) * speed();
        progressAt = agenda.now();
    }

    /** Looks again when the next one ends or runs out of time; an earlier appointment that has become too early does no harm. */
    private void plan() {
        while (!byEnd.isEmpty() && byEnd.peek().over) {
            byEnd.poll();
        }
        while (!byDeadline.isEmpty() && byDeadline.peek().over) {
            byDeadline.poll();
        }
        if (running == 0) {
            return;
        }
        long end = agenda.now() + (long) Math.ceil((byEnd.peek().endsAt - progress) / speed());
        long next = Math.max(agenda.now(), Math.min(end, byDeadline.peek().deadline));
        if (next < plannedAt) {
            plannedAt = next;
            agenda.at(next, () -> look(next));
        }
    }

    private void look(long appointed) {
        if (appointed == plannedAt) {
            plannedAt = Long.MAX_VALUE;
        }
        advance();
        while (!byEnd.isEmpty() && (byEnd.peek().over || byEnd.peek().endsAt - progress < 0.5)) {
            Running one = byEnd.poll();
            if (!one.over) {
                end(one, one.done);
            }
        }
        while (!byDeadline.isEmpty() && (byDeadline.peek().over || byDeadline.peek().deadline <= agenda.now())) {
            Running one = byDeadline.poll();
            if (!one.over) {
                count(one.cost, new Tally(0, 1, 0));
                end(one, one.givenUp);
            }
        }
        plan();
    }

    private void end(Running one, Runnable what) {
        one.over = true;
        running--;
        count(one.cost, new Tally(0, 0, Math.min(progress, one.endsAt) - one.begunAt));
        what.run();
    }

    private void count(Cost cost, Tally more) {
        tallies.merge(cost, more, Tally::plus);
    }

    private record Tally(long statements, long abandoned, double coreNanos) {
        static final Tally NONE = new Tally(0, 0, 0);

        Tally plus(Tally other) {
            return new Tally(statements + other.statements, abandoned + other.abandoned, coreNanos + other.coreNanos);
        }

        Tally minus(Tally other) {
            return new Tally(statements - other.statements, abandoned - other.abandoned, coreNanos - other.coreNanos);
        }
    }

    /** What it has done in some time. */
    public static final class Work {
        private final Map<Cost, Tally> tallies;

        private Work(Map<Cost, Tally> tallies) {
            this.tallies = new EnumMap<>(tallies);
        }

        private Tally of(Cost cost) {
            return tallies.getOrDefault(cost, Tally.NONE);
        }

        public long statements(Cost cost) {
            return of(cost).statements();
        }

        /** Of these, those that ran out of time. */
        public long abandoned(Cost cost) {
            return of(cost).abandoned();
        }

        public double coreSeconds(Cost cost) {
            return of(cost).coreNanos() / 1e9;
        }

        public long allStatements() {
            return tallies.values().stream().mapToLong(Tally::statements).sum();
        }

        public double allCoreSeconds() {
            return tallies.values().stream().mapToDouble(Tally::coreNanos).sum() / 1e9;
        }

        public Work since(Work before) {
            Work difference = new Work(tallies);
            difference.tallies.replaceAll((cost, tally) -> tally.minus(before.of(cost)));
            return difference;
        }
    }

    /** What it has done since it began. */
    public Work work() {
        return new Work(tallies);
    }

    /** The statements of the busiest second since this one. */
    public long busiestSecond(double since) {
        return Arrays.stream(perSecond).skip((long) since).max().orElse(0);
    }
}
