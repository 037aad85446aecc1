package ai.buildscale.agents.platform.http;

import io.vertx.core.MultiMap;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.zip.Deflater;

/**
 * Serves the API's document, which the build has written: as YAML, or as JSON by {@code .json}, {@code ?format=json}
 * or {@code Accept}; compressed, where that is asked for. It is read, and compressed, once.
 */
@ApplicationScoped
public class ApiDocumentRoute {
    private static final String PATH = "/q/openapi";

    private final Map<String, Buffer> documents = new ConcurrentHashMap<>();
    private final Map<String, Buffer> compressed = new ConcurrentHashMap<>();

    void register(@Observes Router router) {
        for (String ending : new String[] {"", ".json", ".yaml", ".yml"}) {
            router.route(PATH + ending)
                    .method(HttpMethod.GET)
                    .method(HttpMethod.HEAD)
                    .handler(this::answer);
        }
    }

    private void answer(RoutingContext context) {
        String format = wantsJson(context) ? "json" : "yaml";
        MultiMap headers = context.response().headers();
        headers.set(HttpHeaders.CONTENT_TYPE, "application/" + format + ";charset=UTF-8")
                .set(HttpHeaders.VARY, headers.get(HttpHeaders.VARY) + ", Accept");
        if (Compression.accepts(context.request().getHeader(HttpHeaders.ACCEPT_ENCODING))) {
            headers.set(HttpHeaders.CONTENT_ENCODING, "gzip");
            context.response().end(compressed.computeIfAbsent(format, this::compress));
        } else {
            context.response().end(document(format));
        }
    }

    private Buffer document(String format) {
        return documents.computeIfAbsent(format, ApiDocumentRoute::read);
    }

    /** Once, so that it is well done. */
    private Buffer compress(String format) {
        return Buffer.buffer(Compression.gzip(document(format).getBytes(), Deflater.BEST_COMPRESSION));
    }

    private static boolean wantsJson(RoutingContext context) {
        String path = context.normalizedPath();
        String format = context.request().getParam("format");
        if (!path.equals(PATH)) {
            return path.endsWith(".json");
        }
        if (format != null) {
            return format.equalsIgnoreCase("json");
        }
        String accept = context.request().getHeader("Accept");
        return accept != null && accept.startsWith("application/json");
    }

    private static Buffer read(String format) {
        String name = "/api/openapi." + format;
        try (InputStream document = Objects.requireNonNull(ApiDocumentRoute.class.getResourceAsStream(name), name)) {
            return Buffer.buffer(document.readAllBytes());
        } catch (IOException e) {
            throw new IllegalStateException(name, e);
        }
    }
}
