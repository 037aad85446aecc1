package ai.buildscale.agents.server;

import java.time.Duration;

/**
 * The arithmetic of a server's lease: until when the server may act as an owner, and when it renews. Uses no clock and
 * no database: the caller passes the time. All times are nanoseconds of one monotonic clock. A lease counts from before
 * its renewal was sent, and ends a tenth earlier than the others wait, for clocks that do not run alike.
 */
final class Lease {
    /** The scheduler looks once a second, so a renewal may come so much later than it is due. */
    static final Duration JITTER = Duration.ofSeconds(1);
    /** The least time that a renewal has for its answer, and the longest wait after one that has failed. */
    private static final Duration HALF_A_SECOND = Duration.ofMillis(500);

    private final Duration renewal;
    private final Duration lostAfter;
    private volatile long endsAt;
    private volatile long renewedAt;
    private volatile long ownsSince;
    private volatile boolean owned;

    /** @param now the lease has ended by then */
    Lease(ServerConfig config, long now) {
        this.renewal = config.leaseRenewal();
        this.lostAfter = config.lostAfter();
        this.endsAt = now;
        this.renewedAt = now;
        this.ownsSince = now;
    }

    /** Whether a renewal that the scheduler begins late still comes in time; if not, servers that live are given up. */
    static boolean isLongEnough(Duration renewal, Duration lostAfter) {
        return lostAfter.compareTo(renewal.multipliedBy(2)) >= 0
                && held(lostAfter).compareTo(renewal.plus(JITTER).plus(HALF_A_SECOND)) > 0;
    }

    private static Duration held(Duration lostAfter) {
        return lostAfter.dividedBy(10).multipliedBy(9);
    }

    /**
     * Renews; returns whether the server owns from now on and did not before. The answer to an earlier renewal may come
     * after that to a later one.
     */
    synchronized boolean renewed(long sent, long now) {
        if (isNewest(sent)) {
            renewedAt = sent;
            endsAt = sent + held(lostAfter).toNanos();
        }
        if (owned || !holds(now)) {
            return false;
        }
        owned = true;
        ownsSince = now;
        return true;
    }

    boolean holds(long now) {
        return now - endsAt < 0;
    }

    /** Gives ownership up; returns whether the server owned until now. */
    synchronized boolean giveUp() {
        boolean was = owned;
        owned = false;
        return was;
    }

    /** For how long the server has owned without a break; to be asked while it owns. */
    Duration ownedFor(long now) {
        return Duration.ofNanos(now - ownsSince);
    }

    /** The time that is left, at least one nanosecond. */
    Duration left(long now) {
        return Duration.ofNanos(Math.max(1, endsAt - now));
    }

    /** Since the last renewal was sent. */
    Duration age(long now) {
        return Duration.ofNanos(now - renewedAt);
    }

    /** Whether no renewal that was sent later has been answered. */
    synchronized boolean isNewest(long sent) {
        return sent - renewedAt >= 0;
    }

    /**
     * When the timer renews: soon after a renewal that has failed; otherwise only if the scheduler is late, counted from
     * when the last renewal was sent.
     */
    synchronized Duration pause(boolean failing, long now) {
        Duration again = shorter(renewal.dividedBy(4), HALF_A_SECOND);
        Duration late = renewal.plus(JITTER).plus(HALF_A_SECOND).minus(age(now));
        return failing || late.compareTo(again) < 0 ? again : late;
    }

    /**
     * The time after which a renewal without an answer counts as failed: half of what a late one leaves of the lease. The
     * other half is for the pause and another renewal.
     */
    Duration patience() {
        Duration half = held(lostAfter).minus(renewal).minus(JITTER).dividedBy(2);
        return shorter(renewal, half.compareTo(HALF_A_SECOND) > 0 ? half : HALF_A_SECOND);
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }
}
