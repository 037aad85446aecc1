package ai.buildscale.agents.platform.telemetry;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/** Logs a recurring failure once when it starts, with its cause, and once when it recovers. */
public final class FailureLog {
    private final Logger log;
    private final String what;
    private final long quietNanos;
    private final AtomicBoolean now = new AtomicBoolean();
    private volatile long lastMet;

    /** @param what a sentence that a colon and the reason may follow, as {@code "the event log cannot be read"} */
    public FailureLog(Class<?> where, String what) {
        this(where, what, Duration.ZERO);
    }

    /** @param quiet where some succeed while others fail: it is over once it has not been met for so long */
    public FailureLog(Class<?> where, String what, Duration quiet) {
        this.log = Logger.getLogger(where);
        this.what = what;
        this.quietNanos = quiet.toNanos();
    }

    public void met(Throwable reason) {
        lastMet = System.nanoTime();
        if (now.compareAndSet(false, true)) {
            Throwable root = reason;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            log.warnf("%s: %s", what, root);
        }
    }

    public void over() {
        if (now.get() && System.nanoTime() - lastMet >= quietNanos && now.compareAndSet(true, false)) {
            log.infof("no longer: %s", what);
        }
    }
}
