package ai.buildscale.agents.dev;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A process that ends with the one that started it, even if that is killed: a shell in a session of its own waits for
 * its standard input to close, then signals the process (and wakes it, if it is stopped).
 */
public final class WatchedProcess implements AutoCloseable {
    private static final String WATCH = """
            signal=$1; shift
            exec 3<&0
            "$@" 3<&- < /dev/null & pid=$!
            { read -r _ <&3; kill -$signal $pid; kill -CONT $pid; } 2> /dev/null & watcher=$!
            exec 3<&-
            wait $pid; status=$?
            kill $watcher 2> /dev/null
            exit $status""";

    private final Process shell;

    private WatchedProcess(Process shell) {
        this.shell = shell;
    }

    /**
     * Starts it.
     *
     * @param signal what ends it gracefully: {@code INT}, {@code TERM}
     * @param prefix what runs the shell (to change the user), mostly empty
     */
    public static WatchedProcess start(
            String signal,
            File log,
            File folder,
            Map<String, String> environment,
            List<String> prefix,
            List<String> command)
            throws IOException {
        List<String> full = new ArrayList<>(prefix);
        full.addAll(List.of("setsid", "sh", "-c", WATCH, "watched", signal));
        full.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(full)
                .directory(folder)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log));
        // what the caller's own Postgres and issuer are must not get into a test's or a demo's service
        builder.environment()
                .keySet()
                .removeIf(name -> name.startsWith("PG") || name.startsWith("JWT_") || name.equals("DATABASE_URL"));
        builder.environment().putAll(environment);
        return new WatchedProcess(builder.start());
    }

    public boolean isAlive() {
        return shell.isAlive();
    }

    /** Waits until it has ended; its exit code, or 128 and the number of the signal that ended it. */
    public int waitFor() throws InterruptedException {
        return shell.waitFor();
    }

    /** The process itself, as long as it lives. */
    public ProcessHandle handle() {
        return shell.children()
                .filter(child ->
                        child.info().command().filter(c -> !c.endsWith("sh")).isPresent())
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("the process has ended"));
    }

    /** Kills it, as {@code kill -9} does, and waits until it is gone. */
    public void kill() throws InterruptedException {
        handle().destroyForcibly();
        shell.waitFor(10, TimeUnit.SECONDS);
    }

    /** Ends it gracefully, and forcibly after 30 s. */
    @Override
    public void close() {
        try {
            shell.getOutputStream().close();
            if (shell.waitFor(30, TimeUnit.SECONDS)) {
                return;
            }
        } catch (IOException e) {
            // it has ended already
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        shell.descendants().forEach(ProcessHandle::destroyForcibly);
        shell.destroyForcibly();
    }
}
