package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.TurnRepository.AnswerProgress;
import ai.buildscale.agents.chat.TurnRepository.ClaimedTurn;
import ai.buildscale.agents.chat.TurnRepository.FencingToken;
import ai.buildscale.agents.chat.TurnRepository.Step;
import ai.buildscale.agents.chat.TurnRepository.TurnOutcome;
import ai.buildscale.agents.chat.TurnRepository.Used;
import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.MultiSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Context;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Flow.Subscription;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Runs one turn: pulls outputs from the engine one at a time, persists each step first, streams the answer, closes the
 * turn. Whoever interrupts it gets what was said by then. All of it runs on the agent's event loop.
 */
final class TurnExecution implements MultiSubscriber<Output>, AnswerStream.Speaker {
    private static final Logger LOG = Logger.getLogger(TurnExecution.class);

    /** What others do for it. */
    interface Agent {
        TurnWriter writer();

        ChunkPublisher feed();

        int maxAnswer();

        /** It is over, or left for later; {@code mail} messages wait. */
        void closed(TurnExecution run, TurnOutcome ending, int mail);

        /** It could not write: the session does not run any more, or is another server's. */
        void refused(TurnExecution run);
    }

    private enum State {
        THINKING,
        /** Nothing of it is taken any more; somebody will say how it ends. */
        REFUSED,
        CLOSING,
        CLOSED
    }

    private final Agent agent;
    private final Context context;
    private final ClaimedTurn begun;
    private final List<Turn.HistoryEntry> memory;
    private final List<UniEmitter<? super Void>> waiting = new ArrayList<>();
    private final long begunAt = System.nanoTime();
    private volatile State state = State.THINKING;
    private Subscription engine;
    private boolean stepping;
    private Runnable afterStep;
    private boolean parkNow;
    private boolean complete;
    private long inputTokens;
    private long outputTokens;
    private long timer = -1;
    private volatile boolean left;
    private final AnswerStream speech;
    private final TraceSpan span;
    private String error = GenAi.OTHER;
    private long steps;

    /** @param memory what the engine gets to know; the run adds what it does */
    TurnExecution(
            Agent agent, Context context, ClaimedTurn begun, List<Turn.HistoryEntry> memory, AnswerProgress said) {
        this.agent = agent;
        this.context = context;
        this.begun = begun;
        this.memory = memory;
        this.speech = new AnswerStream(begun.fence(), agent.feed(), this, said);
        this.span = GenAi.agent(begun.traceparent(), fence().session(), begun.agentType(), begun.model())
                .with("agent_sessions.turn", fence().turn())
                .with("agent_sessions.epoch", fence().epoch())
                .with("agent_sessions.attempt", begun.attempt());
    }

    FencingToken fence() {
        return begun.fence();
    }

    List<Turn.HistoryEntry> memory() {
        return memory;
    }

    /** Whether it still thinks. */
    boolean isThinking() {
        return state == State.THINKING;
    }

    void go(Engine thinker) {
        if (begun.millisLeft() != null) {
            timer = context.owner()
                    .setTimer(
                            Math.max(1, begun.millisLeft()),
                            _ -> context.runOnContext(_ -> spent("budget: its time is used up")));
        }
        if (begun.tokensLeft() != null && begun.tokensLeft() <= 0) {
            spent("budget: its tokens are used up");
            return;
        }
        speech.takeUp();
        Turn turn = new Turn(
                fence().turn(),
                fence().session(),
                fence().chat(),
                begun.agentType(),
                begun.mode(),
                begun.model(),
                begun.goal(),
                List.copyOf(memory),
                speech.text(),
                begun.attempt(),
                span);
        thinker.think(turn).subscribe().withSubscriber(this);
    }

    /** Fails without having thought. */
    void giveUp(String words) {
        close("failed", null, words, null, null);
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        context.runOnContext(_ -> {
            engine = subscription;
            if (state == State.THINKING) {
                subscription.request(1);
            } else {
                subscription.cancel();
            }
        });
    }

    @Override
    public void onItem(Output output) {
        onLoop(() -> {
            try {
                take(output);
            } catch (RuntimeException e) {
                fail(e);
            }
        });
    }

    @Override
    public void onFailure(Throwable failure) {
        onLoop(() -> fail(failure));
    }

    @Override
    public void onCompletion() {
        onLoop(() -> {
            if (stepping) {
                // its last step is not written yet
                complete = true;
            } else {
                close("done", null, null, null, null);
            }
        });
    }

    private void onLoop(Runnable work) {
        context.runOnContext(_ -> {
            if (state == State.THINKING) {
                work.run();
            }
        });
    }

    private void fail(Throwable failure) {
        String words = "Something went wrong while the agent was thinking";
        if (failure instanceof EngineFailure told) {
            words = told.getMessage();
            span.log(() ->
                    LOG.infof("session %s turn %s failed: %s", fence().session(), fence().turn(), told.getMessage()));
        } else {
            span.log(() -> LOG.warnf(failure, "session %s turn %s failed", fence().session(), fence().turn()));
        }
        error = failure.getClass().getName();
        close("failed", null, words, null, null);
    }

    private void take(Output output) {
        switch (output) {
            case Output.Chunk chunk -> say(chunk.text());
            case Output.Thought thought ->
                step(
                        "thought",
                        EntryKind.THOUGHT,
                        thought.text(),
                        new JsonObject(),
                        new JsonObject().put("text", TextLimits.step(thought.text())));
            case Output.Call call -> {
                JsonObject event = new JsonObject()
                        .put("call_id", call.id())
                        .put("tool", TextLimits.step(call.tool()))
                        .put("args", new JsonObject(TextLimits.cleanJson(call.args())));
                JsonObject data = new JsonObject()
                        .put("call_id", call.id())
                        .put("args", event.getValue("args"))
                        .put("offset", speech.length());
                step("call", EntryKind.CALL, call.tool(), data, event);
            }
            case Output.Observation seen -> {
                JsonObject data = new JsonObject().put("call_id", seen.id()).put("success", seen.success());
                step(
                        "observation",
                        EntryKind.OBSERVATION,
                        seen.output(),
                        data,
                        data.copy().put("output", TextLimits.step(seen.output())));
            }
            case Output.Question question ->
                close("waiting", null, TextLimits.clean(question.text()), Ids.next(), question.schema());
            case Output.ModeChange change -> {
                String mode = change.mode().toString();
                JsonObject event = new JsonObject().put("mode", mode);
                write(() -> new Step(fence(), ++steps, "mode", null, null, event, speech.text(), mode, null), () -> {});
            }
            case Output.CurrentTask task -> {
                String text = TextLimits.cut(TextLimits.clean(task.task()), 4_000);
                write(
                        () -> new Step(
                                fence(),
                                ++steps,
                                "task",
                                null,
                                null,
                                new JsonObject().put("task", text),
                                speech.text(),
                                null,
                                text),
                        () -> {});
            }
            case Output.TokenUsage usage -> use(usage);
        }
    }

    private void say(String text) {
        boolean room = speech.say(text);
        if (speech.length() > agent.maxAnswer()) {
            close("failed", null, "The answer is longer than " + agent.maxAnswer() + " characters", null, null);
        } else if (room) {
            engine.request(1);
        }
    }

    @Override
    public void mayGoOn() {
        onLoop(() -> {
            if (!stepping) {
                engine.request(1);
            }
        });
    }

    @Override
    public void refused() {
        onLoop(this::refuse);
    }

    @Override
    public void shown(Runnable next) {
        context.runOnContext(_ -> {
            if (state != State.CLOSED) {
                next.run();
            }
        });
    }

    private void use(Output.TokenUsage usage) {
        inputTokens += usage.inputTokens();
        outputTokens += usage.outputTokens();
        if (begun.tokensLeft() != null && inputTokens + outputTokens >= begun.tokensLeft()) {
            spent("budget: its tokens are used up");
        } else {
            engine.request(1);
        }
    }

    private void spent(String why) {
        if (state == State.THINKING) {
            close("spent", why, null, null, null);
        }
    }

    private void step(String event, EntryKind kind, String content, JsonObject data, JsonObject told) {
        String text = TextLimits.step(content);
        write(
                () -> new Step(fence(), ++steps, event, text, data, told, speech.text(), null, null),
                () -> memory.add(new Turn.HistoryEntry(fence().turn(), kind, text, data.encode())));
    }

    /** What was said before the step is shown before it. */
    private void write(Supplier<Step> step, Runnable written) {
        stepping = true;
        speech.onceShown(true, () -> {
            if (state == State.THINKING) {
                agent.writer()
                        .step(step.get(), () -> state != State.CLOSED)
                        .subscribe()
                        .with(
                                taken -> context.runOnContext(_ -> stepped(taken, written)),
                                failure -> context.runOnContext(_ -> {
                                    span.log(() -> LOG.warnf(
                                            "session %s turn %s: a step is not written: %s",
                                            fence().session(), fence().turn(), failure));
                                    stepped(false, written);
                                }));
            } else {
                stepped(false, written);
            }
        });
    }

    private void stepped(boolean taken, Runnable written) {
        stepping = false;
        if (taken) {
            written.run();
        }
        if (afterStep != null) {
            afterStep.run();
        } else if (state == State.THINKING && !taken) {
            refuse();
        } else if (state == State.THINKING && complete) {
            close("done", null, null, null, null);
        } else if (state == State.THINKING && parkNow) {
            close("parked", null, null, null, null);
        } else if (state == State.THINKING) {
            engine.request(1);
        }
    }

    private void refuse() {
        state = State.REFUSED;
        stopThinking();
        agent.refused(this);
    }

    /** Whether it will write nothing more. */
    boolean isOver() {
        return state == State.CLOSED;
    }

    /** Whether it was left open when it closed: it waits, or is to be gone on with. */
    boolean isLeft() {
        return left;
    }

    /** Stops it, and says how it ends; completes when that is written down, however it ended. */
    Uni<Void> interrupt(String ending, String reason) {
        return Uni.createFrom()
                .emitter(emitter -> context.runOnContext(_ -> {
                    if (state == State.CLOSED) {
                        emitter.complete(null);
                        return;
                    }
                    waiting.add(emitter);
                    if (state != State.CLOSING) {
                        close(ending, reason, null, null, null);
                    }
                }));
    }

    /** Leaves it for another server at its next step, or at its end; when that time is over, in the middle. */
    Uni<Void> park(Duration atMost) {
        return Uni.createFrom()
                .emitter(emitter -> context.runOnContext(_ -> {
                    if (state == State.CLOSED) {
                        emitter.complete(null);
                        return;
                    }
                    waiting.add(emitter);
                    parkNow = true;
                    context.owner()
                            .setTimer(
                                    Math.max(1, atMost.toMillis()),
                                    _ -> context.runOnContext(_ -> {
                                        if (state == State.THINKING || state == State.REFUSED) {
                                            close("parked", null, null, null, null);
                                        }
                                    }));
                }));
    }

    /** It is another's: stops at once and writes nothing. */
    void abandon() {
        context.runOnContext(_ -> {
            if (state != State.CLOSED) {
                state = State.CLOSED;
                speech.end();
                stopThinking();
                release();
                ended("abandoned");
            }
        });
    }

    private void stopThinking() {
        if (engine != null) {
            engine.cancel();
        }
        if (timer >= 0) {
            context.owner().cancelTimer(timer);
        }
    }

    private void close(String ending, String reason, String words, java.util.UUID question, String schema) {
        state = State.CLOSING;
        speech.end();
        stopThinking();
        Runnable closing = () -> {
            TurnOutcome how = new TurnOutcome(
                    fence(),
                    ending,
                    speech.text(),
                    reason,
                    words == null ? null : TextLimits.cut(words, 4_000),
                    question,
                    schema,
                    used());
            agent.writer()
                    .close(how, () -> state != State.CLOSED)
                    .subscribe()
                    .with(
                            mail -> context.runOnContext(_ -> closed(how, mail)),
                            failure -> context.runOnContext(_ -> {
                                span.log(() -> LOG.warnf(
                                        "session %s turn %s is not closed: %s",
                                        fence().session(), fence().turn(), failure));
                                closed(how, null);
                            }));
        };
        boolean completely = reason == null && !ending.equals("parked");
        // what is under way would come after the end
        if (stepping) {
            afterStep = () -> speech.onceShown(completely, closing);
        } else {
            speech.onceShown(completely, closing);
        }
    }

    private Used used() {
        return new Used(inputTokens, outputTokens, (System.nanoTime() - begunAt) / 1_000_000);
    }

    private void closed(TurnOutcome how, Integer mail) {
        if (state == State.CLOSED) {
            return;
        }
        state = State.CLOSED;
        left = !List.of("done", "stopped", "failed").contains(how.ending());
        if (mail == null) {
            ended("refused");
            agent.refused(this);
        } else {
            ended(how.ending());
            agent.closed(this, how, mail);
        }
        release();
    }

    private void ended(String ending) {
        span.with("agent_sessions.ending", ending)
                .with(GenAi.INPUT_TOKENS, inputTokens == 0 ? null : inputTokens)
                .with(GenAi.OUTPUT_TOKENS, outputTokens == 0 ? null : outputTokens);
        if (ending.equals("failed")) {
            span.fail(error);
        } else {
            span.end();
        }
    }

    private void release() {
        List.copyOf(waiting).forEach(emitter -> emitter.complete(null));
        waiting.clear();
    }
}
