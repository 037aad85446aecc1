package ai.buildscale.agents.platform.security;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The source of the issuer's keys. */
@FunctionalInterface
interface KeySource {
    /** More than any issuer publishes, in bytes. */
    int LONGEST = 512 * 1024;

    String FILE = "file:";
    Pattern ADDRESS = Pattern.compile("(?i)(https?://)(?:[^/?#]*@)?([^/?#@]+.*)");

    /** Emits the document as it is now, on any thread, or fails within some seconds. */
    Uni<String> read();

    /**
     * An address of {@code http} or {@code https}, or a file ({@code file:…} or its path).
     *
     * @throws IllegalArgumentException if it is neither; the address, which may hold a password, is not in its words
     */
    static KeySource of(Vertx vertx, String location) {
        Matcher address = ADDRESS.matcher(location);
        try {
            if (address.matches()) {
                // without the user and password that may be in it: they are sent to nobody, and would be logged
                return new HttpKeys(vertx, URI.create(address.group(1) + address.group(2)));
            }
            if (!location.contains("://") || location.startsWith(FILE)) {
                return file(Path.of(location.startsWith(FILE) ? location.substring(FILE.length()) : location));
            }
        } catch (IllegalArgumentException e) {
            // its words would tell the address
        }
        throw new IllegalArgumentException("JWT_KEYS must be an address of http or https, or a file");
    }

    private static KeySource file(Path path) {
        return () -> Uni.createFrom()
                .item(() -> {
                    try {
                        return text(path);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .runSubscriptionOn(Infrastructure.getDefaultWorkerPool());
    }

    private static String text(Path path) throws IOException {
        if (Files.size(path) > LONGEST) {
            throw new IOException("the file has more than " + LONGEST + " bytes");
        }
        return Files.readString(path, StandardCharsets.UTF_8);
    }
}
