package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.turn.TurnOutcome.Done;
import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Parked;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import ai.buildscale.agents.turn.TurnOutcome.Spent;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import ai.buildscale.agents.turn.TurnOutcome.Waiting;
import ai.buildscale.agents.turn.TurnPhase.Closed;
import ai.buildscale.agents.turn.TurnPhase.Closing;
import ai.buildscale.agents.turn.TurnPhase.Fenced;
import ai.buildscale.agents.turn.TurnPhase.Thinking;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.MultiSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Context;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Flow.Subscription;

/**
 * Runs one turn: pulls outputs from the engine one at a time, persists each step first, streams the answer, closes the
 * turn. Whoever interrupts it gets what was said by then. All of it runs on the agent's event loop.
 */
final class TurnExecution implements MultiSubscriber<Output>, AnswerStream.Speaker {
    private final TurnOwner agent;
    private final Context context;
    private final ClaimedTurn claimed;
    private final List<Turn.HistoryEntry> memory;
    private final List<UniEmitter<? super Void>> waiting = new ArrayList<>();
    private volatile TurnPhase phase = new Thinking(false, false);
    private Subscription engine;
    private boolean stepping;
    private final TurnBudget budget;
    private final AnswerStream answer;
    private final TurnTrace trace;
    private long steps;

    /** @param memory what the engine gets to know; the run adds what it does */
    TurnExecution(
            TurnOwner agent,
            Context context,
            ClaimedTurn claimed,
            List<Turn.HistoryEntry> memory,
            AnswerProgress progress) {
        this.agent = agent;
        this.context = context;
        this.claimed = claimed;
        this.memory = memory;
        this.budget = new TurnBudget(context, claimed.tokensLeft(), claimed.millisLeft());
        this.answer = new AnswerStream(claimed.fence(), agent.feed(), this, progress);
        this.trace = new TurnTrace(claimed);
    }

    FencingToken fence() {
        return claimed.fence();
    }

    /** Whether it still thinks. */
    boolean isThinking() {
        return phase instanceof Thinking;
    }

    void go(Engine thinker) {
        budget.start(() -> spent(Spent.TIME));
        if (!budget.hasTokensLeft()) {
            spent(Spent.TOKENS);
            return;
        }
        answer.takeUp();
        Turn turn = new Turn(
                fence().turn(),
                fence().session(),
                fence().chat(),
                claimed.agentType(),
                claimed.mode(),
                claimed.model(),
                claimed.goal(),
                List.copyOf(memory),
                answer.text(),
                claimed.attempt(),
                trace.span());
        thinker.think(turn).subscribe().withSubscriber(this);
    }

    /** Fails without having thought. */
    void giveUp(String words) {
        close(new Failed(words));
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        context.runOnContext(_ -> {
            engine = subscription;
            if (isThinking()) {
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
            // the last step may not be written yet
            if (stepping && phase instanceof Thinking thinking) {
                phase = new Thinking(true, thinking.parking());
            } else {
                close(new Done());
            }
        });
    }

    private void onLoop(Runnable work) {
        context.runOnContext(_ -> {
            if (isThinking()) {
                work.run();
            }
        });
    }

    private void fail(Throwable failure) {
        trace.failed(failure);
        close(new Failed(
                failure instanceof EngineFailure known
                        ? known.getMessage()
                        : "Something went wrong while the agent was thinking"));
    }

    private void take(Output output) {
        switch (output) {
            case Output.Chunk chunk -> say(chunk.text());
            case Output.Thought thought ->
                entry(EntryKind.THOUGHT, TurnStep.thought(fence(), TextLimits.step(thought.text())));
            case Output.Call call -> {
                JsonObject args = new JsonObject(TextLimits.cleanJson(call.args()));
                String tool = TextLimits.step(call.tool());
                entry(EntryKind.CALL, TurnStep.call(fence(), call.id(), tool, args, answer.length()));
            }
            case Output.Observation seen -> {
                String text = TextLimits.step(seen.output());
                entry(EntryKind.OBSERVATION, TurnStep.observation(fence(), seen.id(), seen.success(), text));
            }
            case Output.Question question ->
                close(new Waiting(Ids.next(), TextLimits.clean(question.text()), question.schema()));
            case Output.ModeChange change -> write(TurnStep.mode(fence(), change.mode()), () -> {});
            case Output.CurrentTask task ->
                write(TurnStep.task(fence(), TextLimits.words(TextLimits.clean(task.task()))), () -> {});
            case Output.TokenUsage usage -> use(usage);
        }
    }

    private void say(String text) {
        boolean room = answer.say(text);
        if (answer.length() > agent.maxAnswer()) {
            close(new Failed("The answer is longer than " + agent.maxAnswer() + " characters"));
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
            if (!isOver()) {
                next.run();
            }
        });
    }

    private void use(Output.TokenUsage usage) {
        budget.use(usage.inputTokens(), usage.outputTokens());
        if (budget.hasTokensLeft()) {
            engine.request(1);
        } else {
            spent(Spent.TOKENS);
        }
    }

    private void spent(String why) {
        if (isThinking()) {
            close(new Spent(why));
        }
    }

    private void entry(EntryKind kind, TurnStep step) {
        write(
                step,
                () -> memory.add(new Turn.HistoryEntry(
                        fence().turn(), kind, step.content(), step.data().encode())));
    }

    /** What was said before the step is shown before it. */
    private void write(TurnStep step, Runnable written) {
        stepping = true;
        answer.onceShown(true, () -> {
            if (isThinking()) {
                writeNow(step.numbered(++steps, answer.text()), written);
            } else {
                stepped(false, written);
            }
        });
    }

    private void writeNow(TurnStep step, Runnable written) {
        agent.writer()
                .step(step, () -> !isOver())
                .subscribe()
                .with(
                        taken -> context.runOnContext(_ -> stepped(taken, written)),
                        failure -> context.runOnContext(_ -> {
                            trace.stepNotWritten(failure);
                            stepped(false, written);
                        }));
    }

    private void stepped(boolean taken, Runnable written) {
        stepping = false;
        if (taken) {
            written.run();
        }
        switch (phase) {
            case Closing closing
            when closing.afterStep() != null -> closing.afterStep().run();
            case Thinking _ when !taken -> refuse();
            case Thinking thinking when thinking.complete() -> close(new Done());
            case Thinking thinking when thinking.parking() -> close(new Parked());
            case Thinking _ -> engine.request(1);
            case Fenced _, Closing _, Closed _ -> {}
        }
    }

    private void refuse() {
        phase = new Fenced();
        stopThinking();
        agent.refused(this);
    }

    /** Whether it will write nothing more. */
    boolean isOver() {
        return phase instanceof Closed;
    }

    /** Whether it was left open when it closed: it waits, or is to be gone on with. */
    boolean isLeft() {
        return phase instanceof Closed closed && closed.left();
    }

    /** Stops it, and says how it ends; completes when that is written down, however it ended. */
    Uni<Void> interrupt(TurnOutcome outcome) {
        return untilClosed(() -> {
            if (!(phase instanceof Closing)) {
                close(outcome);
            }
        });
    }

    /** Leaves it for another server at its next step, or at its end; when that time is over, in the middle. */
    Uni<Void> park(Duration atMost) {
        return untilClosed(() -> {
            if (phase instanceof Thinking thinking) {
                phase = new Thinking(thinking.complete(), true);
            }
            context.owner().setTimer(Math.max(1, atMost.toMillis()), _ -> context.runOnContext(_ -> parkNow()));
        });
    }

    private void parkNow() {
        if (phase instanceof Thinking || phase instanceof Fenced) {
            close(new Parked());
        }
    }

    /** Does something to it, and completes when it is closed; at once if it is. */
    private Uni<Void> untilClosed(Runnable something) {
        return Uni.createFrom()
                .emitter(emitter -> context.runOnContext(_ -> {
                    if (isOver()) {
                        emitter.complete(null);
                    } else {
                        waiting.add(emitter);
                        something.run();
                    }
                }));
    }

    /** It is another's: stops at once and writes nothing. */
    void abandon() {
        context.runOnContext(_ -> {
            if (!isOver()) {
                phase = new Closed(false);
                answer.end();
                stopThinking();
                release();
                trace.abandoned(budget.used());
            }
        });
    }

    private void stopThinking() {
        if (engine != null) {
            engine.cancel();
        }
        budget.stop();
    }

    private void close(TurnOutcome outcome) {
        phase = new Closing(null);
        answer.end();
        stopThinking();
        boolean completely = switch (outcome) {
            case Done _, Failed _, Waiting _ -> true;
            case Stopped _, Paused _, Spent _, Parked _, Returned _ -> false;
        };
        // what is under way would come after the end
        if (stepping) {
            phase = new Closing(() -> answer.onceShown(completely, () -> closeNow(outcome)));
        } else {
            answer.onceShown(completely, () -> closeNow(outcome));
        }
    }

    private void closeNow(TurnOutcome outcome) {
        TurnClosing closing = new TurnClosing(fence(), outcome.limited(), answer.text(), budget.used());
        agent.writer()
                .close(closing, () -> !isOver())
                .subscribe()
                .with(
                        mail -> context.runOnContext(_ -> closed(closing, mail)),
                        failure -> context.runOnContext(_ -> {
                            trace.notClosed(failure);
                            closed(closing, null);
                        }));
    }

    private void closed(TurnClosing closing, Integer mail) {
        if (isOver()) {
            return;
        }
        phase = new Closed(!closing.outcome().state().isTerminal());
        if (mail == null) {
            trace.refused(budget.used());
            agent.refused(this);
        } else {
            trace.closed(closing.outcome(), budget.used());
            agent.closed(this, closing, mail);
        }
        release();
    }

    private void release() {
        List.copyOf(waiting).forEach(emitter -> emitter.complete(null));
        waiting.clear();
    }
}
