package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.llm.http.ModelFailure;
import ai.buildscale.agents.engine.llm.http.ModelFailure.FailureKind;
import ai.buildscale.agents.engine.llm.http.VertxLlmHttpClient;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.TokenUsage;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Context;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Reads one completion of a model part by part, with back-pressure: the client pauses while more than {@link #FULL}
 * characters are buffered. Buffered text becomes one part. The callbacks and the reader synchronize on one monitor.
 */
final class CompletionStream implements StreamingChatResponseHandler {
    /** The buffered characters at which the client pauses reading, and those at which it reads on. */
    private static final int FULL = 64_000;

    private static final int LOW = 16_000;
    private static final int LONGEST_THOUGHT = 4_000;

    /** A part of a completion; {@link End} is the last. */
    sealed interface Part {}

    record TextPart(String text) implements Part {}

    record ThinkingPart(String text) implements Part {}

    /**
     * The end of a completion.
     *
     * @param calls the tools that the model calls; none if its answer is complete
     * @param usage null if the provider does not report it
     */
    record End(List<ToolExecutionRequest> calls, TokenUsage usage) implements Part {}

    private final Model model;
    private final Context context;
    private final VertxLlmHttpClient client;
    private final ModelMetrics.Request metrics;
    /** The parts before {@link #text}. */
    private final Deque<Part> unread = new ArrayDeque<>();

    private final StringBuilder thinking = new StringBuilder();
    private final StringBuilder text = new StringBuilder();
    private final List<ToolExecutionRequest> calls = new ArrayList<>();
    private UniEmitter<? super CompletionStream> opener;
    private UniEmitter<? super Part> reader;
    private End end;
    private ModelFailure failure;
    private boolean answering;
    private boolean paused;

    CompletionStream(Model model, Context context, VertxLlmHttpClient client, ModelMetrics.Request metrics) {
        this.model = model;
        this.context = context;
        this.client = client;
        this.metrics = metrics;
    }

    /** Sends the request; emits this stream once the answer has begun. To be subscribed to once. */
    Uni<CompletionStream> open(ChatRequest request) {
        return Uni.createFrom().emitter(emitter -> open(emitter, request));
    }

    private void open(UniEmitter<? super CompletionStream> emitter, ChatRequest request) {
        ModelFailure already;
        synchronized (this) {
            opener = emitter;
            already = failure;
        }
        if (already != null) {
            emitter.fail(already);
        } else {
            context.runOnContext(_ -> ask(request));
        }
    }

    private void ask(ChatRequest request) {
        try {
            if (!isOver()) {
                model.chat(client).chat(request, this);
            }
        } catch (RuntimeException e) {
            onError(e);
        }
    }

    /** Emits the next part. One call at a time, none after {@link End}. */
    Uni<Part> next() {
        return Uni.createFrom().emitter(emitter -> read(emitter));
    }

    private void read(UniEmitter<? super Part> emitter) {
        synchronized (this) {
            reader = emitter;
        }
        deliver();
    }

    /** Cancels the request; no-op once the completion has ended. */
    void abort() {
        onError(new ModelFailure(FailureKind.CANCELLED, "stopped"));
    }

    private synchronized boolean isOver() {
        return end != null || failure != null;
    }

    @Override
    public void onPartialResponse(String partial) {
        synchronized (this) {
            flushThinking();
            // PostgreSQL's text has no NUL
            text.append(partial.replace("\0", ""));
        }
        begin();
    }

    @Override
    public void onPartialThinking(PartialThinking partial) {
        synchronized (this) {
            thinking.append(partial.text().replace("\0", ""));
            if (thinking.length() > LONGEST_THOUGHT) {
                flushThinking();
            }
        }
        begin();
    }

    @Override
    public void onPartialToolCall(PartialToolCall partial) {
        begin();
    }

    @Override
    public void onCompleteToolCall(CompleteToolCall call) {
        synchronized (this) {
            // LangChain4j completes an empty call where the first one's index is not 0
            if (call.toolExecutionRequest().name() != null) {
                calls.add(call.toolExecutionRequest());
            }
        }
        begin();
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
        if (!client.isComplete(response.finishReason())) {
            return;
        }
        synchronized (this) {
            if (isOver()) {
                return;
            }
            flushThinking();
            end = new End(List.copyOf(calls), response.tokenUsage());
        }
        metrics.ended(response.tokenUsage());
        begin();
    }

    @Override
    public void onError(Throwable reason) {
        ModelFailure met = ModelFailure.of(reason);
        UniEmitter<? super CompletionStream> waiting;
        synchronized (this) {
            if (isOver()) {
                return;
            }
            met = answering ? met.midStream() : met;
            failure = met;
            waiting = opener;
            opener = null;
        }
        client.cancel();
        metrics.failed(met.kind());
        if (waiting != null) {
            waiting.fail(met);
        }
        deliver();
    }

    private void flushThinking() {
        if (!thinking.toString().isBlank()) {
            if (!text.isEmpty()) {
                unread.add(new TextPart(text.toString()));
                text.setLength(0);
            }
            unread.add(new ThinkingPart(thinking.toString().strip()));
        }
        thinking.setLength(0);
    }

    private void begin() {
        UniEmitter<? super CompletionStream> waiting;
        boolean full;
        synchronized (this) {
            if (failure != null) {
                return;
            }
            waiting = opener;
            opener = null;
            full = !paused && text.length() > FULL;
            paused |= full;
            answering = true;
        }
        if (waiting != null) {
            metrics.answering();
            waiting.complete(this);
        }
        if (full) {
            client.read(false);
        }
        deliver();
    }

    private void deliver() {
        UniEmitter<? super Part> waiting;
        Part part;
        boolean low;
        synchronized (this) {
            part = reader == null ? null : take();
            if (reader == null || (part == null && failure == null)) {
                return;
            }
            waiting = reader;
            reader = null;
            low = paused && text.length() < LOW;
            paused &= !low;
        }
        if (low) {
            client.read(true);
        }
        if (part != null) {
            waiting.complete(part);
        } else {
            waiting.fail(failure);
        }
    }

    private Part take() {
        if (!unread.isEmpty()) {
            return unread.poll();
        }
        int whole = text.length();
        // the second half of a surrogate pair comes with the next part
        if (whole > 0 && end == null && Character.isHighSurrogate(text.charAt(whole - 1))) {
            whole--;
        }
        if (whole > 0) {
            Part part = new TextPart(text.substring(0, whole));
            text.delete(0, whole);
            return part;
        }
        return end;
    }
}
