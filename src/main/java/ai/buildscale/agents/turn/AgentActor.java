package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.turn.TurnOutcome.Done;
import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Parked;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import ai.buildscale.agents.turn.TurnOutcome.Spent;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import ai.buildscale.agents.turn.TurnOutcome.Waiting;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The actor of one live agent: its memory of the chat, and its turn while it has one. Its mailbox and all that must
 * survive are in the database; a passivated agent exists only there. The fleet has one actor for each agent: what the
 * actor writes names its epoch. The actor lives on one event loop.
 */
final class AgentActor implements TurnOwner {
    /** The services that an actor uses and reports to. */
    interface Supervisor {
        TurnConfig config();

        TurnWriter writer();

        ChunkPublisher chunks();

        /** Null if no engine serves the model. */
        Engine engineOf(String model);

        /** Whether nothing new may begin. */
        boolean isHolding();

        /** What the agent remembers, and all that was said in the turn. */
        Uni<Recalled> recall(ClaimedTurn claimed);

        /** The agent's memory cannot be read: the turn is left for another moment, or another server. */
        void notRecalled(ClaimedTurn claimed, Throwable failure);

        /** The actor's turn is over, or left for later; {@code mail} messages wait. */
        void closed(AgentActor actor, TurnClosing closing, int mail);

        /** A write of the turn was not accepted: what has become of the session says what is left to do. */
        void refused(AgentActor actor, TurnExecution execution);
    }

    private final Supervisor supervisor;
    private final UUID session;
    private final Context context;
    private long epoch = -1;
    private List<Turn.HistoryEntry> memory;
    private volatile TurnExecution execution;
    private volatile ClaimedTurn current;
    /** Counts what was begun or given up: what was recalled for an earlier one comes too late. */
    private int begins;
    /** It has a turn, and does not think yet. */
    private volatile boolean beginning;

    private volatile long restsSince = System.nanoTime();

    AgentActor(Supervisor supervisor, UUID session, Context context) {
        this.supervisor = supervisor;
        this.session = session;
        this.context = context;
    }

    /** Begins a turn, or takes one up again. */
    void begin(ClaimedTurn claimed) {
        beginning = true;
        context.runOnContext(_ -> {
            if (execution != null) {
                // it was refused, and its turn is over or another one's
                execution.abandon();
            }
            current = claimed;
            int number = ++begins;
            boolean remembers = memory != null && epoch == claimed.fence().epoch() && claimed.news() != null;
            epoch = claimed.fence().epoch();
            if (remembers) {
                memory.add(claimed.news());
                start(
                        claimed,
                        new AnswerProgress(claimed.answer(), claimed.answer().length()));
            } else {
                supervisor
                        .recall(claimed)
                        .subscribe()
                        .with(
                                recalled -> context.runOnContext(_ -> {
                                    // abandoned meanwhile, or begun anew
                                    if (begins == number) {
                                        memory = recalled.memory();
                                        start(claimed, recalled.progress());
                                    }
                                }),
                                e -> supervisor.notRecalled(claimed, e));
            }
        });
    }

    private void start(ClaimedTurn claimed, AnswerProgress progress) {
        while (memory.size() > supervisor.config().history()) {
            memory.removeFirst();
        }
        TurnExecution fresh = new TurnExecution(this, context, claimed, memory, progress);
        execution = fresh;
        beginning = false;
        Engine engine = supervisor.engineOf(claimed.model());
        String hopeless = claimed.attempt() > supervisor.config().maxAttempts()
                ? "The turn was begun " + (claimed.attempt() - 1) + " times, and its server was lost each time"
                : engine == null ? "No engine serves the model " + claimed.model() : null;
        if (hopeless == null) {
            fresh.go(engine);
        } else {
            fresh.giveUp(hopeless);
        }
        if (supervisor.isHolding()) {
            fresh.park(Duration.ZERO).subscribe().with(_ -> {}, _ -> {});
        }
    }

    /** The turn that it is at, or null. */
    TurnExecution execution() {
        return execution;
    }

    /** Whether it has no work. */
    boolean rests() {
        TurnExecution now = execution;
        return !beginning && (now == null || !now.isThinking());
    }

    /** Whether it has had no work for so long. */
    boolean restsFor(Duration atLeast) {
        return rests() && System.nanoTime() - restsSince > atLeast.toNanos();
    }

    /** Whether this is the newest turn that it has or had. */
    boolean wasLastAt(FencingToken fence) {
        ClaimedTurn now = current;
        return now != null && now.fence().equals(fence);
    }

    /** It is another server's, or passivated. */
    void abandon() {
        context.runOnContext(_ -> {
            current = null;
            begins++;
        });
        TurnExecution now = execution;
        if (now != null) {
            now.abandon();
        }
    }

    /** Whether it is at this turn, or about to be. */
    boolean isAt(UUID turn) {
        ClaimedTurn now = current;
        return now != null && now.fence().turn().equals(turn) && (execution == null || !execution.isOver());
    }

    UUID session() {
        return session;
    }

    @Override
    public TurnWriter writer() {
        return supervisor.writer();
    }

    @Override
    public ChunkPublisher feed() {
        return supervisor.chunks();
    }

    @Override
    public int maxAnswer() {
        return supervisor.config().maxAnswer();
    }

    @Override
    public void closed(TurnExecution ended, TurnClosing closing, int mail) {
        execution = null;
        restsSince = System.nanoTime();
        UUID turn = closing.fence().turn();
        switch (closing.outcome()) {
            case Done _ -> memory.add(new Turn.HistoryEntry(turn, EntryKind.ASSISTANT, closing.answer(), "{}"));
            case Stopped _ -> {
                if (!closing.answer().isEmpty()) {
                    memory.add(
                            new Turn.HistoryEntry(turn, EntryKind.ASSISTANT, closing.answer(), "{\"partial\":true}"));
                }
            }
            // what it asked, or was left at, is read back when it goes on
            case Failed _, Waiting _, Paused _, Spent _, Parked _, Returned _ -> memory = null;
        }
        supervisor.closed(this, closing, mail);
    }

    @Override
    public void refused(TurnExecution refused) {
        supervisor.refused(this, refused);
    }

    /** What an agent knows when it begins. */
    record Recalled(List<Turn.HistoryEntry> memory, AnswerProgress progress) {
        Recalled {
            memory = new ArrayList<>(memory);
        }
    }
}
