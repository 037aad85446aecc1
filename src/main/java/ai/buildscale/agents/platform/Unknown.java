package ai.buildscale.agents.platform;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/** Logs values that a newer server wrote and this one does not know, once each. */
public final class Unknown {
    /** Somebody may write a new one each time. */
    private static final int MOST = 100;

    private final Logger log;
    private final String what;
    private final Set<String> met = ConcurrentHashMap.newKeySet();

    /** @param what what is left out or left alone, as {@code "messages of this kind are not told to agents"} */
    public Unknown(Class<?> where, String what) {
        this.log = Logger.getLogger(where);
        this.what = what;
    }

    public void met(String name) {
        if (met.size() < MOST && met.add(name)) {
            log.warnf("%s, it is not known here: %s", what, name);
        }
    }
}
