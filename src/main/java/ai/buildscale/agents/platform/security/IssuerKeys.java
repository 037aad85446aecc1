package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.schedule.FixedDelayTimer;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * The issuer's keys as they were when it was last asked: at the start, every {@link TokenConfig#keysRefresh}, and when a
 * token comes that they do not fit, but then not sooner than {@link TokenConfig#keysRetry} after the last time. One
 * request at a time, off the event loops. While the issuer does not answer, the keys that are known go on. A timer asks,
 * because the interval depends on the last answer, and because keys are needed before the scheduler starts.
 */
final class IssuerKeys {
    private static final Logger LOG = Logger.getLogger(IssuerKeys.class);
    /** As long as no key has come nobody can be let in: then it is asked sooner, and callers wait for it. */
    private static final Duration AT_FIRST = Duration.ofSeconds(1);
    /** How long a caller waits for the issuer. */
    private static final Duration PATIENCE = Duration.ofSeconds(7);

    private final FailureLog failureLog = new FailureLog(IssuerKeys.class, "the keys of JWT_KEYS do not come");
    private final KeySource source;
    private final Duration refresh;
    private final Duration retry;
    private final LongSupplier nanos;
    private volatile KeySet known = KeySet.NONE;
    private volatile boolean answered;
    /** When the issuer last had an answer; until it has had one, when this began. */
    private volatile long heardAt;

    private volatile FixedDelayTimer timer;
    private Uni<Void> underWay;
    private boolean asked;
    private long askedAt;

    /** @param nanos {@link System#nanoTime}, or what moves as a test wants */
    IssuerKeys(KeySource source, Duration refresh, Duration retry, LongSupplier nanos) {
        this.source = source;
        this.refresh = refresh;
        this.retry = retry;
        this.nanos = nanos;
        this.heardAt = nanos.getAsLong();
    }

    /** What operators are told: a server without the keys stays ready, or an issuer that is away would take down all of them. */
    void measure(MeterRegistry metrics) {
        Gauge.builder("issuer.keys", this, keys -> keys.known.size())
                .description("keys of the issuer that tokens are checked with")
                .register(metrics);
        Gauge.builder("issuer.keys.age", this, keys -> (keys.nanos.getAsLong() - keys.heardAt) / 1e9)
                .description("since the issuer last answered with its keys, or since the start if it never did")
                .baseUnit("seconds")
                .register(metrics);
    }

    /** Asks at once, and from time to time from then on: keys that the issuer has withdrawn must not stay. */
    void start(Vertx vertx) {
        ask().subscribe().with(_ -> {});
        timer = FixedDelayTimer.start(vertx, () -> answered ? refresh : retry, this::ask);
    }

    void stop() {
        if (timer != null) {
            timer.stop();
        }
    }

    /** Another object once they have changed. */
    KeySet known() {
        return known;
    }

    /** Whether the issuer had an answer when it was last asked. */
    boolean answered() {
        return answered;
    }

    /** Asks the issuer, unless that was done a moment ago. Emits when it has answered, or is not to be waited for. */
    Uni<Void> ask() {
        Uni<Void> answer;
        synchronized (this) {
            if (underWay == null) {
                boolean nothing = !answered && known.isEmpty();
                Duration pause = nothing && AT_FIRST.compareTo(retry) < 0 ? AT_FIRST : retry;
                long wait = asked ? askedAt + pause.toNanos() - nanos.getAsLong() : 0;
                if (wait > 0 && !nothing) {
                    return Uni.createFrom().voidItem();
                }
                underWay = request(wait);
            }
            answer = underWay;
        }
        return answer.ifNoItem().after(PATIENCE).recoverWithUni(Uni.createFrom().voidItem());
    }

    private Uni<Void> request(long wait) {
        Uni<Void> now = Uni.createFrom().voidItem();
        // timers know of nothing shorter than a millisecond
        return (wait <= 0
                        ? now
                        : now.onItem().delayIt().by(Duration.ofNanos(wait).plusMillis(1)))
                .chain(source::read)
                .emitOn(Infrastructure.getDefaultWorkerPool())
                .invoke(this::heard)
                .onFailure()
                .invoke(this::failed)
                .onFailure()
                .recoverWithNull()
                .onTermination()
                .invoke(this::over)
                .replaceWithVoid()
                .memoize()
                .indefinitely();
    }

    private void heard(String answer) {
        try {
            KeyDocument document = KeyDocument.read(answer);
            take(document);
            answered = true;
            heardAt = nanos.getAsLong();
            if (known.isEmpty()) {
                failureLog.met(new IOException("there is none that a token may be signed with, " + document.leftOut()));
            } else {
                failureLog.over();
            }
        } catch (IOException e) {
            failed(e);
        }
    }

    private void failed(Throwable reason) {
        answered = false;
        failureLog.met(reason);
    }

    private void take(KeyDocument document) {
        if (!document.keys().hasTheKeysOf(known)) {
            known = document.keys();
            LOG.infof("JWT_KEYS has %d keys for tokens now, left out are %s", known.size(), document.leftOut());
        }
    }

    private synchronized void over() {
        underWay = null;
        asked = true;
        askedAt = nanos.getAsLong();
    }
}
