package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.llm.http.ModelFailure;
import ai.buildscale.agents.engine.llm.http.ModelFailure.FailureKind;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.output.TokenUsage;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Runs one turn as a loop of completions and tool calls: each output is computed when it is requested, so the loop never
 * runs ahead of the persisted outputs. {@link #stop} may be called at any time; all other methods by one thread at a time.
 */
final class ToolLoop {
    private static final Logger LOG = Logger.getLogger(ToolLoop.class);

    private final Turn turn;
    private final Model model;
    private final Toolbox tools;
    private final Context context;
    private final int maxRounds;
    private final long deadline;
    private final Conversation conversation;
    /** Outputs that are not emitted yet. */
    private final Deque<Output> due = new ArrayDeque<>();

    /** Calls that are emitted, or about to be, and not yet made. */
    private final Deque<Output.Call> open = new ArrayDeque<>();

    private int rounds;
    private boolean finished;
    private CompletionStream reading;
    private volatile CompletionStream asked;
    private volatile TraceSpan chat = TraceSpan.NONE;
    private volatile boolean stopped;

    ToolLoop(Turn turn, Model model, Toolbox tools, Context context, LlmConfig config) {
        this.turn = turn;
        this.model = model;
        this.tools = tools;
        this.context = context;
        this.maxRounds = config.rounds();
        this.deadline = System.nanoTime() + model.turnTimeout().toNanos();
        this.conversation = new Conversation(turn, config.history());
        turn.span().with(GenAi.PROVIDER, model.provider());
        conversation.openCalls().forEach(this::resume);
    }

    private void resume(Conversation.OpenCall call) {
        if (call.answer() == null) {
            open.add(call.call());
        } else {
            due.add(new Output.Observation(call.call().id(), call.answer(), true));
        }
    }

    Multi<Output> outputs() {
        return Multi.createBy()
                .repeating()
                .uni(this::next)
                .until(Optional::isEmpty)
                .map(Optional::get)
                .onCancellation()
                .invoke(this::stop)
                .onFailure()
                .invoke(this::failed)
                .onFailure(ModelFailure.class)
                .transform(this::explained);
    }

    /** Aborts the current completion, if there is one. */
    void stop() {
        stopped = true;
        CompletionStream completion = asked;
        if (completion != null) {
            completion.abort();
        }
        chat.fail(FailureKind.CANCELLED.toString());
    }

    private void failed(Throwable reason) {
        chat.fail(
                reason instanceof ModelFailure failure
                        ? failure.kind().toString()
                        : reason.getClass().getName());
        stop();
    }

    private Throwable explained(Throwable reason) {
        ModelFailure failure = (ModelFailure) reason;
        if (!failure.isPassing()) {
            chat.log(() -> LOG.warnf(
                    "session %s: the model %s: %s: %s",
                    turn.sessionId(), turn.model(), failure.kind(), failure.getMessage()));
        }
        return failure.explained(turn.model());
    }

    /** The next output; empty when there is none any more. */
    private Uni<Optional<Output>> next() {
        if (!due.isEmpty()) {
            return emit(due.poll());
        }
        if (finished) {
            return Uni.createFrom().item(Optional.empty());
        }
        if (System.nanoTime() - deadline > 0) {
            return Uni.createFrom().failure(new ModelFailure(FailureKind.LATE, "the turn took too long"));
        }
        if (reading != null) {
            return reading.next().chain(this::received);
        }
        if (!open.isEmpty()) {
            return tools.perform(open.poll(), turn).chain(this::performed);
        }
        return begin();
    }

    private Uni<Optional<Output>> emit(Output output) {
        conversation.record(output);
        if (output instanceof Output.Question) {
            finished = true;
        }
        return Uni.createFrom().item(Optional.of(output));
    }

    private Uni<Optional<Output>> performed(List<Output> outputs) {
        due.addAll(outputs);
        return next();
    }

    private Uni<Optional<Output>> begin() {
        if (rounds++ == maxRounds) {
            String message =
                    "The model " + turn.model() + " called tools " + maxRounds + " times without coming to an answer.";
            return Uni.createFrom().failure(new EngineFailure(message, false, null));
        }
        ChatRequest request = ChatRequest.builder()
                .messages(conversation.messages())
                .toolSpecifications(tools.specifications(SystemPrompt.of(turn.agentType())))
                .build();
        long startedAt = System.nanoTime();
        chat = model.startSpan(turn);
        return model.open(() -> ask(request)).chain(completion -> {
            chat.with(GenAi.FIRST_CHUNK, (System.nanoTime() - startedAt) / 1e9);
            reading = completion;
            return next();
        });
    }

    private Uni<CompletionStream> ask(ChatRequest request) {
        CompletionStream completion = model.completion(context, deadline);
        asked = completion;
        if (stopped) {
            completion.abort();
            chat.fail(FailureKind.CANCELLED.toString());
        }
        return completion.open(request);
    }

    private Uni<Optional<Output>> received(CompletionStream.Part part) {
        return switch (part) {
            case CompletionStream.TextPart text -> emit(new Output.Chunk(text.text()));
            case CompletionStream.ThinkingPart thought -> emit(new Output.Thought(thought.text()));
            case CompletionStream.End end -> {
                ended(end);
                yield next();
            }
        };
    }

    private void ended(CompletionStream.End end) {
        reading = null;
        if (end.usage() != null) {
            Output.TokenUsage usage = usage(end.usage());
            due.add(usage);
            chat.with(GenAi.INPUT_TOKENS, usage.inputTokens()).with(GenAi.OUTPUT_TOKENS, usage.outputTokens());
        }
        chat.end();
        for (ToolExecutionRequest call : end.calls()) {
            Output.Call made = new Output.Call(conversation.nextCallId(), call.name(), args(call.arguments()));
            due.add(made);
            open.add(made);
        }
        finished = end.calls().isEmpty();
    }

    private static Output.TokenUsage usage(TokenUsage usage) {
        return new Output.TokenUsage(count(usage.inputTokenCount()), count(usage.outputTokenCount()));
    }

    private static long count(Integer tokens) {
        return tokens == null ? 0 : tokens;
    }

    /** A text that is no JSON object is wrapped in one, so that people see it. */
    private static String args(String given) {
        // PostgreSQL's jsonb has no NUL
        String text = given == null || given.isBlank() ? "{}" : given.replace("\\u0000", "");
        try {
            return new JsonObject(text).encode();
        } catch (DecodeException | ClassCastException e) {
            return new JsonObject().put("unreadable", text).encode();
        }
    }
}
