package ai.buildscale.agents.bench.simulation;

import java.time.Duration;
import java.util.PriorityQueue;

/** The clock of a simulation, and what happens when; what is due at one time happens in the order in which it was planned. */
public final class Agenda {
    private record Due(long at, long place, Runnable what) implements Comparable<Due> {
        @Override
        public int compareTo(Due other) {
            return at == other.at ? Long.compare(place, other.place) : Long.compare(at, other.at);
        }
    }

    private final PriorityQueue<Due> due = new PriorityQueue<>();
    private long now;
    private long planned;

    /** Nanoseconds since it began. */
    public long now() {
        return now;
    }

    public double seconds() {
        return now / 1e9;
    }

    public void at(long when, Runnable what) {
        due.add(new Due(Math.max(now, when), planned++, what));
    }

    public void in(Duration pause, Runnable what) {
        at(now + pause.toNanos(), what);
    }

    /** Lets so much time pass. */
    public void pass(Duration time) {
        long end = now + time.toNanos();
        while (!due.isEmpty() && due.peek().at <= end) {
            Due next = due.poll();
            now = next.at;
            next.what.run();
        }
        now = end;
    }
}
