package ai.buildscale.agents.engine.llm.http;

import dev.langchain4j.http.client.sse.ServerSentEvent;
import dev.langchain4j.http.client.sse.ServerSentEventContext;
import dev.langchain4j.http.client.sse.ServerSentEventListener;
import dev.langchain4j.http.client.sse.ServerSentEventParser;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayInputStream;
import java.util.function.Consumer;

/**
 * Splits a stream of bytes into whole events, because LangChain4j's parsers block until the end of their input.
 */
final class SseDecoder {
    private static final int LONGEST = 4 << 20;

    private final ServerSentEventParser parser;
    private final Consumer<ServerSentEvent> heard;
    private final boolean serverSent;
    private Buffer rest = Buffer.buffer();
    private int searched;

    /** @param serverSent whether an empty line ends an event (SSE), or each line is an event (NDJSON) */
    SseDecoder(ServerSentEventParser parser, Consumer<ServerSentEvent> heard, boolean serverSent) {
        this.parser = parser;
        this.heard = heard;
        this.serverSent = serverSent;
    }

    String mediaType() {
        return serverSent ? "text/event-stream" : "application/x-ndjson";
    }

    void add(Buffer part) {
        rest.appendBuffer(part);
        int from = 0;
        for (int at = searched; at < rest.length(); at++) {
            if (rest.getByte(at) == '\n' && (!serverSent || isEmptyLine(from, at))) {
                parse(rest.getBytes(from, at + 1));
                from = at + 1;
            }
        }
        if (from > 0) {
            rest = rest.getBuffer(from, rest.length());
        }
        searched = rest.length();
        if (searched > LONGEST) {
            throw new IllegalStateException("an event of more than " + LONGEST + " bytes");
        }
    }

    /** Whether the line that ends here is empty, with or without a carriage return. */
    private boolean isEmptyLine(int from, int end) {
        int last = end - 1;
        if (last >= from && rest.getByte(last) == '\r') {
            last--;
        }
        return last < from || rest.getByte(last) == '\n';
    }

    private void parse(byte[] event) {
        CapturingListener listener = new CapturingListener();
        parser.parse(new ByteArrayInputStream(event), listener);
        if (listener.failure != null) {
            throw listener.failure;
        }
    }

    /** Keeps the failure of a listener, which the parsers swallow. */
    private final class CapturingListener implements ServerSentEventListener {
        private RuntimeException failure;

        @Override
        public void onEvent(ServerSentEvent event, ServerSentEventContext context) {
            try {
                if (!event.data().isBlank()) {
                    heard.accept(event);
                }
            } catch (RuntimeException e) {
                failure = e;
            }
        }

        @Override
        public void onError(Throwable reason) {
            failure = new IllegalStateException(reason);
        }
    }
}
