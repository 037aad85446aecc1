package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.ws.rs.container.ContainerResponseContext;
import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullAndEmptySource;
import org.junit.jupiter.params.provider.ValueSource;

class CompressionTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "gzip",
                "GZip",
                "x-gzip",
                "gzip, deflate, br, zstd",
                "br;q=1.0, gzip;q=0.8, *;q=0.1",
                "*",
                "gzip;q=1",
                "gzip ; q=0.5",
                "identity;q=0.5, *;q=0.7",
                "gzip;q=0.001",
                ",gzip,"
            })
    void gzipIsAskedFor(String acceptEncoding) {
        assertThat(Compression.accepts(acceptEncoding)).isTrue();
    }

    @ParameterizedTest
    @NullAndEmptySource
    @ValueSource(
            strings = {
                "identity",
                "br",
                "gzip;q=0",
                "gzip;q=0.000",
                "*;q=0",
                "gzip;q=0, *",
                "identity;q=1, gzip;q=0.5",
                "gzipped",
                "gzip;q=x",
                ",",
                ";q=1"
            })
    void gzipIsNotAskedFor(String acceptEncoding) {
        assertThat(Compression.accepts(acceptEncoding)).isFalse();
    }

    /** An answer that counts how often it is written as JSON. */
    private record Counted(String text, AtomicInteger count) {
        @JsonValue
        String asJson() {
            count.incrementAndGet();
            return text;
        }
    }

    /** What becomes of an answer to a caller who accepts gzip. */
    private static Object written(Object answer, MultivaluedMap<String, Object> headers)
            throws JsonProcessingException {
        AtomicReference<Object> entity = new AtomicReference<>(answer);
        ContainerResponseContext response = (ContainerResponseContext) Proxy.newProxyInstance(
                CompressionTest.class.getClassLoader(),
                new Class<?>[] {ContainerResponseContext.class},
                (_, method, arguments) -> switch (method.getName()) {
                    case "getEntity" -> entity.get();
                    case "setEntity" -> {
                        entity.set(arguments[0]);
                        yield null;
                    }
                    case "getHeaders" -> headers;
                    default -> throw new UnsupportedOperationException(method.getName());
                });
        new Compression(new ObjectMapper()).write(response, "gzip");
        return entity.get();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1_021, 1_022, 100_000})
    void anAnswerIsWrittenAsJsonOnce(int length) throws IOException {
        AtomicInteger count = new AtomicInteger();
        String text = "x".repeat(length);
        MultivaluedMap<String, Object> headers = new MultivaluedHashMap<>();
        headers.putSingle("ETag", "\"v1\"");

        Object bytes = written(new Counted(text, count), headers);

        assertThat(count).hasValue(1);
        String json = '"' + text + '"';
        if (json.length() < Compression.WORTH_IT) {
            assertThat(bytes).isEqualTo(json.getBytes(StandardCharsets.UTF_8));
            assertThat(headers).containsOnlyKeys("ETag");
            assertThat(headers.getFirst("ETag")).isEqualTo("\"v1\"");
        } else {
            assertThat(new GZIPInputStream(new ByteArrayInputStream((byte[]) bytes)))
                    .hasBinaryContent(json.getBytes(StandardCharsets.UTF_8));
            assertThat(headers.getFirst("Content-Encoding")).isEqualTo("gzip");
            assertThat(headers.getFirst("ETag")).isEqualTo("W/\"v1\"");
        }
    }

    @Test
    void whatIsNoJsonStaysWhatItIs() throws JsonProcessingException {
        assertThat(written("retry: 2000\n", new MultivaluedHashMap<>())).isEqualTo("retry: 2000\n");
        assertThat(written(null, new MultivaluedHashMap<>())).isNull();
    }

    @Test
    void whatIsCompressedCanBeRead() throws IOException {
        byte[] plain = "{\"a\":\"é\"}".repeat(1_000).getBytes(StandardCharsets.UTF_8);

        for (int level : new int[] {Deflater.BEST_SPEED, Deflater.BEST_COMPRESSION}) {
            byte[] compressed = Compression.gzip(plain, level);

            assertThat(compressed).hasSizeLessThan(plain.length / 10);
            assertThat(new GZIPInputStream(new ByteArrayInputStream(compressed)).readAllBytes())
                    .isEqualTo(plain);
        }
    }
}
