package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.TurnRepository.AnswerProgress;
import ai.buildscale.agents.chat.TurnRepository.ClaimedTurn;
import ai.buildscale.agents.chat.TurnRepository.FencingToken;
import ai.buildscale.agents.chat.TurnRepository.TurnOutcome;
import ai.buildscale.agents.chat.TurnRepository.Used;
import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import io.vertx.core.Context;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The actor of one live agent: its memory of the chat, and its turn while it has one. Its mailbox and all that must
 * survive are in the database; passivated, it is nothing but that. There is one in the whole fleet: what it writes
 * names its epoch. Lives on one event loop.
 */
final class ChatActor implements TurnExecution.Agent {
    private final ChatActors house;
    private final UUID session;
    private final Context context;
    private long epoch = -1;
    private List<Turn.HistoryEntry> memory;
    private volatile TurnExecution run;
    private volatile ClaimedTurn current;
    /** Counts what was begun or given up: what was recalled for an earlier one comes too late. */
    private int begins;
    /** It has a turn, and does not think yet. */
    private volatile boolean beginning;

    private volatile long restsSince = System.nanoTime();

    ChatActor(ChatActors house, UUID session, Context context) {
        this.house = house;
        this.session = session;
        this.context = context;
    }

    /** Begins a turn, or takes one up again. */
    void begin(ClaimedTurn begun) {
        beginning = true;
        context.runOnContext(_ -> {
            if (run != null) {
                // it was refused, and its turn is over or another one's
                run.abandon();
            }
            current = begun;
            int number = ++begins;
            boolean remembers = memory != null && epoch == begun.fence().epoch() && begun.news() != null;
            epoch = begun.fence().epoch();
            if (remembers) {
                memory.add(begun.news());
                start(begun, new AnswerProgress(begun.said(), begun.said().length()));
            } else {
                house.recall(begun)
                        .subscribe()
                        .with(
                                recalled -> context.runOnContext(_ -> {
                                    // abandoned meanwhile, or begun anew
                                    if (begins == number) {
                                        memory = recalled.memory();
                                        start(begun, recalled.said());
                                    }
                                }),
                                e -> house.notRecalled(begun, e));
            }
        });
    }

    private void start(ClaimedTurn begun, AnswerProgress said) {
        while (memory.size() > house.config().history()) {
            memory.removeFirst();
        }
        TurnExecution fresh = new TurnExecution(this, context, begun, memory, said);
        run = fresh;
        beginning = false;
        Engine engine = house.engineOf(begun.model());
        String hopeless = begun.attempt() > house.config().maxAttempts()
                ? "The turn was begun " + (begun.attempt() - 1) + " times, and its server was lost each time"
                : engine == null ? "No engine serves the model " + begun.model() : null;
        if (hopeless == null) {
            fresh.go(engine);
        } else {
            fresh.giveUp(hopeless);
        }
        if (house.isHolding()) {
            fresh.park(Duration.ZERO).subscribe().with(_ -> {}, _ -> {});
        }
    }

    /** The turn that it is at, or null. */
    TurnExecution run() {
        return run;
    }

    /** Whether it has no work. */
    boolean rests() {
        TurnExecution now = run;
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
        TurnExecution now = run;
        if (now != null) {
            now.abandon();
        }
    }

    /** Whether it is at this turn, or about to be. */
    boolean isAt(UUID turn) {
        ClaimedTurn now = current;
        return now != null && now.fence().turn().equals(turn) && (run == null || !run.isOver());
    }

    UUID session() {
        return session;
    }

    @Override
    public TurnWriter writer() {
        return house.writer();
    }

    @Override
    public ChunkPublisher feed() {
        return house.feed();
    }

    @Override
    public int maxAnswer() {
        return house.config().maxAnswer();
    }

    @Override
    public void closed(TurnExecution ended, TurnOutcome ending, int mail) {
        run = null;
        restsSince = System.nanoTime();
        switch (ending.ending()) {
            case "done" ->
                memory.add(new Turn.HistoryEntry(ending.fence().turn(), EntryKind.ASSISTANT, ending.said(), "{}"));
            case "stopped" -> {
                if (!ending.said().isEmpty()) {
                    memory.add(new Turn.HistoryEntry(
                            ending.fence().turn(), EntryKind.ASSISTANT, ending.said(), "{\"partial\":true}"));
                }
            }
            // what it asked, or was left at, is read back when it goes on
            default -> memory = null;
        }
        house.closed(this, ending, mail);
    }

    @Override
    public void refused(TurnExecution refused) {
        house.refused(this, refused);
    }

    /** A turn that is not run here is closed as this says. */
    static TurnOutcome dormant(FencingToken fence, String ending, String said, String reason) {
        return new TurnOutcome(fence, ending, said, reason, null, null, null, Used.NOTHING);
    }

    /** What an agent knows when it begins. */
    record Recalled(List<Turn.HistoryEntry> memory, AnswerProgress said) {
        Recalled {
            memory = new ArrayList<>(memory);
        }
    }
}
