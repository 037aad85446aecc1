package ai.buildscale.agents.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The JVM's cache of linked classes with which all processes of the tested jar start: it more than halves a start, and
 * the tests make a few hundred. A first process writes it as it ends; it is good for one jar and one Java.
 */
final class StartCache {
    private static final Path FILE = Path.of("target/it/start.aot").toAbsolutePath();

    private static List<String> flags;

    private StartCache() {}

    /** The flags of a process that starts with it. A JVM that cannot use it starts as it would without. */
    static synchronized List<String> flags() {
        if (flags == null) {
            // for the process that writes it, which is started now
            flags = List.of("-XX:AOTCacheOutput=" + FILE);
            try {
                Files.createDirectories(FILE.getParent());
                if (!isNewerThan(Service.ARTIFACT)) {
                    write();
                }
            } catch (Exception e) {
                throw new IllegalStateException("no cache for the tests' processes", e);
            }
            flags = List.of("-XX:AOTCache=" + FILE);
        }
        return flags;
    }

    private static void write() throws Exception {
        Files.deleteIfExists(FILE);
        try (Service service = Service.start(Map.of())) {
            service.handle().destroy();
            service.handle().onExit().get(3, TimeUnit.MINUTES);
        }
    }

    private static boolean isNewerThan(Path jar) throws IOException {
        return Files.exists(FILE) && Files.getLastModifiedTime(FILE).compareTo(Files.getLastModifiedTime(jar)) > 0;
    }
}
