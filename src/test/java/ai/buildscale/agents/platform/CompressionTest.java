package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
