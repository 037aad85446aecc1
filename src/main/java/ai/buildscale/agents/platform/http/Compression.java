package ai.buildscale.agents.platform.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.http.HttpHeaders;
import jakarta.inject.Singleton;
import jakarta.ws.rs.container.ContainerResponseContext;
import jakarta.ws.rs.core.MultivaluedMap;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.jboss.resteasy.reactive.server.ServerResponseFilter;
import org.jboss.resteasy.reactive.server.core.CurrentRequestManager;

/**
 * Compresses JSON answers by gzip if the client accepts it. Quarkus would put its compression into the way of every
 * answer and of every event of a stream, also for those who do not ask (ADR 15).
 */
@Singleton
public class Compression {
    /** About what fits into one packet; a smaller answer would not arrive sooner. */
    static final int WORTH_IT = 1_024;

    private final ObjectMapper json;

    Compression(ObjectMapper json) {
        this.json = json;
    }

    @ServerResponseFilter
    public void compress(ContainerResponseContext response) throws JsonProcessingException {
        write(response, CurrentRequestManager.get().serverRequest().getRequestHeader(HttpHeaders.ACCEPT_ENCODING));
    }

    /**
     * The bytes become the answer also where they are too few to compress: they are made only once. The tag of what was
     * compressed is weak: it stands for the same version, but not for the same bytes.
     */
    void write(ContainerResponseContext response, String acceptEncoding) throws JsonProcessingException {
        if (!accepts(acceptEncoding) || !isJson(response.getEntity())) {
            return;
        }
        byte[] plain = json.writeValueAsBytes(response.getEntity());
        if (plain.length < WORTH_IT) {
            response.setEntity(plain);
            return;
        }
        MultivaluedMap<String, Object> headers = response.getHeaders();
        headers.putSingle("Content-Encoding", "gzip");
        headers.computeIfPresent(
                "ETag", (_, tags) -> tags.stream().map(Compression::weak).toList());
        response.setEntity(gzip(plain, Deflater.BEST_SPEED));
    }

    /** Streams write by themselves and leave no entity; where there is nothing to stream it is text. */
    private static boolean isJson(Object entity) {
        return entity != null && !(entity instanceof String);
    }

    private static Object weak(Object tag) {
        String text = tag.toString();
        return text.startsWith("W/") ? text : "W/" + text;
    }

    static byte[] gzip(byte[] plain, int level) {
        ByteArrayOutputStream compressed = new ByteArrayOutputStream(plain.length / 4);
        try (OutputStream out = new Gzip(compressed, level)) {
            out.write(plain);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return compressed.toByteArray();
    }

    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out, int level) throws IOException {
            super(out);
            def.setLevel(level);
        }
    }

    /** Whether {@code Accept-Encoding} (RFC 9110, section 12.5.3) asks for gzip, and not rather for the plain answer. */
    static boolean accepts(String acceptEncoding) {
        if (acceptEncoding == null || acceptEncoding.isEmpty()) {
            return false;
        }
        double gzip = -1;
        double anything = 0;
        double plain = 0;
        for (String element : acceptEncoding.toLowerCase(Locale.ROOT).split(",", -1)) {
            String[] parts = element.split(";", 2);
            double quality = parts.length == 1 ? 1 : quality(parts[1].strip());
            switch (parts[0].strip()) {
                case "gzip", "x-gzip" -> gzip = Math.max(gzip, quality);
                case "*" -> anything = quality;
                case "identity" -> plain = quality;
                default -> {
                    // nothing that is made here
                }
            }
        }
        double wanted = gzip < 0 ? anything : gzip;
        return wanted > 0 && wanted >= plain;
    }

    /** Of what cannot be read nothing is expected. */
    private static double quality(String parameter) {
        String value = parameter.replaceFirst("^q\\s*=\\s*", "");
        return value.matches("[01](\\.\\d{0,3})?") ? Math.min(1, Double.parseDouble(value)) : 0;
    }
}
