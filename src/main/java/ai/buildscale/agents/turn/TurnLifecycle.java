package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.session.SessionEnd;
import ai.buildscale.agents.session.SessionLifecycle;
import ai.buildscale.agents.session.SessionStatus;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Guards, counts and logs the transitions of turns: each that the database has accepted is one line at DEBUG under the
 * category {@code turn.lifecycle}. It costs nothing while that is off.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class TurnLifecycle {
    private static final Logger LOG = Logger.getLogger("turn.lifecycle");

    /** The states from which a claim resumes a turn: its owner was lost, or has left it. */
    private static final Set<TurnState> LEFT = EnumSet.of(TurnState.RUNNING, TurnState.PARKED, TurnState.PAUSED);

    private final SessionLifecycle sessions;
    private final Map<String, Counter> counters;

    TurnLifecycle(SessionLifecycle sessions, MeterRegistry metrics) {
        this.sessions = sessions;
        this.counters = TurnOutcome.names()
                .collect(Collectors.toMap(
                        Function.identity(), outcome -> metrics.counter("chat.turns", "outcome", outcome)));
    }

    /** Whether the turn may be closed so: a state that only a newer server knows is left to the database to judge. */
    static boolean allows(OpenTurn open, TurnOutcome outcome) {
        return open.state() == null || open.state().mayBecome(outcome.state());
    }

    /** A turn was claimed by this server. */
    void claimed(ClaimedTurn claimed) {
        if (LOG.isDebugEnabled()) {
            Turn.HistoryEntry news = claimed.news();
            if (news == null) {
                log(claimed.fence(), LEFT, TurnState.RUNNING, "claimed, attempt " + claimed.attempt());
            } else if (news.kind() == Turn.EntryKind.ANSWER) {
                log(claimed.fence(), EnumSet.of(TurnState.WAITING), TurnState.RUNNING, "answered");
            } else {
                log(claimed.fence(), Set.of(), TurnState.RUNNING, "begun");
            }
        }
    }

    /** A turn was claimed by a host elsewhere: begun, answered, or taken up from the host before. */
    public void claimed(FencingToken fence) {
        log(fence, Set.of(), TurnState.RUNNING, "claimed by a host");
    }

    /**
     * The owner of a turn has closed it, or it was taken from the owner.
     *
     * @param from the state that it was in; empty where the statement does not tell
     */
    void closed(TurnClosing closing, Set<TurnState> from) {
        TurnOutcome outcome = closing.outcome();
        counters.get(outcome.counted()).increment();
        if (outcome instanceof TurnOutcome.Failed) {
            sessions.ended(SessionStatus.ERROR, SessionEnd.TURN_FAILED, 1);
        }
        log(closing.fence(), from, outcome.state(), reason(outcome));
    }

    /** A host has told late what its turn used, which had ended with its session: no transition, but counted. */
    void bookedLate(TurnClosing closing) {
        counters.get(closing.outcome().counted()).increment();
    }

    /** A turn that nobody ran was closed: it was counted when its owner left it. */
    void closedAtRest(OpenTurn open, TurnClosing closing) {
        log(
                closing.fence(),
                open.state() == null ? Set.of() : EnumSet.of(open.state()),
                closing.outcome().state(),
                reason(closing.outcome()));
    }

    /** What an agent asks stays out of the log. */
    private static String reason(TurnOutcome outcome) {
        return outcome instanceof TurnOutcome.Waiting ? "question" : outcome.why();
    }

    private static void log(FencingToken fence, Set<TurnState> from, TurnState to, String reason) {
        if (LOG.isDebugEnabled()) {
            LOG.debugf(
                    "session %s turn %s from %s to %s epoch %d reason %s",
                    fence.session(),
                    fence.turn(),
                    from.isEmpty()
                            ? "-"
                            : from.stream().map(TurnState::toString).collect(Collectors.joining("|")),
                    to,
                    fence.epoch(),
                    reason == null ? "-" : TextRules.oneLine(reason));
        }
    }
}
