package ai.buildscale.agents.platform;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/** Something that may fail for a while: the log says once that it does and why, and once that it is over. */
public final class Trouble {
    /** Where some succeed and some fail, it goes on; over is what has not been met for so long. */
    private static final long QUIET_NANOS = 5_000_000_000L;

    private final Logger log;
    private final String what;
    private final AtomicBoolean now = new AtomicBoolean();
    private volatile long lastMet;

    /** @param what a sentence that a colon and the reason may follow, as {@code "the event log cannot be read"} */
    public Trouble(Class<?> where, String what) {
        this.log = Logger.getLogger(where);
        this.what = what;
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
        if (now.get() && System.nanoTime() - lastMet > QUIET_NANOS && now.compareAndSet(true, false)) {
            log.infof("no longer: %s", what);
        }
    }
}
