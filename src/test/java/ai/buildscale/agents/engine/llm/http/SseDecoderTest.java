package ai.buildscale.agents.engine.llm.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.http.client.sse.DefaultServerSentEventParser;
import dev.langchain4j.http.client.sse.ServerSentEvent;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SseDecoderTest {
    private final List<String> heard = new ArrayList<>();
    private final SseDecoder events =
            new SseDecoder(new DefaultServerSentEventParser(), event -> heard.add(event.data()), true);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 7, 1000})
    void cutsAnywhere(int size) {
        byte[] bytes =
                ": a comment\n\nevent: x\ndata: wörld 🎉\n\ndata: two\r\n\r\n\n\ndata: three\ndata: lines\n\ndata: open"
                        .getBytes(StandardCharsets.UTF_8);

        for (int from = 0; from < bytes.length; from += size) {
            events.add(Buffer.buffer(bytes).getBuffer(from, Math.min(bytes.length, from + size)));
        }

        assertThat(heard).containsExactly("wörld 🎉", "two", "three\nlines");
        events.add(Buffer.buffer("\n\n"));
        assertThat(heard).last().isEqualTo("open");
    }

    @Test
    void doesNotSwallowWhatAListenerThrows() {
        SseDecoder failing = new SseDecoder(new DefaultServerSentEventParser(), SseDecoderTest::fail, true);

        assertThatThrownBy(() -> failing.add(Buffer.buffer("data: x\n\n"))).hasMessage("x");
    }

    private static void fail(ServerSentEvent event) {
        throw new IllegalStateException(event.data());
    }

    @Test
    void doesNotTakeAnEventWithoutEnd() {
        Buffer megabyte = Buffer.buffer(new byte[1 << 20]);

        assertThatThrownBy(() -> {
                    for (int i = 0; i < 10; i++) {
                        events.add(megabyte);
                    }
                })
                .isInstanceOf(IllegalStateException.class);
    }
}
