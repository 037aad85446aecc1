package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import org.jboss.logging.Logger;

/** Traces one turn while it is executed, and logs its failures within the trace. */
final class TurnTrace {
    private static final Logger LOG = Logger.getLogger(TurnExecution.class);

    private final FencingToken fence;
    private final TraceSpan span;
    private String error = GenAi.OTHER;

    TurnTrace(ClaimedTurn claimed) {
        this.fence = claimed.fence();
        this.span = GenAi.agent(claimed.traceparent(), fence.session(), claimed.agentType(), claimed.model())
                .with("agent_sessions.turn", fence.turn())
                .with("agent_sessions.epoch", fence.epoch())
                .with("agent_sessions.attempt", claimed.attempt());
    }

    TraceSpan span() {
        return span;
    }

    /** The engine has failed. */
    void failed(Throwable failure) {
        error = failure.getClass().getName();
        if (failure instanceof EngineFailure known) {
            span.log(() ->
                    LOG.infof("session %s turn %s failed: %s", fence.session(), fence.turn(), known.getMessage()));
        } else {
            span.log(() -> LOG.warnf(failure, "session %s turn %s failed", fence.session(), fence.turn()));
        }
    }

    void stepNotWritten(Throwable failure) {
        span.log(() ->
                LOG.warnf("session %s turn %s: a step is not written: %s", fence.session(), fence.turn(), failure));
    }

    void notClosed(Throwable failure) {
        span.log(() -> LOG.warnf("session %s turn %s is not closed: %s", fence.session(), fence.turn(), failure));
    }

    /** The closing was accepted. */
    void closed(TurnOutcome outcome, TurnUsage used) {
        tell(outcome.ending(), used);
        if (outcome instanceof TurnOutcome.Failed) {
            span.fail(error);
        } else {
            span.end();
        }
    }

    /** The closing was not accepted: the turn is another's, or over. */
    void refused(TurnUsage used) {
        tell("refused", used);
        span.end();
    }

    /** The turn is another's, and nothing was written. */
    void abandoned(TurnUsage used) {
        tell("abandoned", used);
        span.end();
    }

    private void tell(String ending, TurnUsage used) {
        span.with("agent_sessions.ending", ending)
                .with(GenAi.INPUT_TOKENS, used.inputTokens() == 0 ? null : used.inputTokens())
                .with(GenAi.OUTPUT_TOKENS, used.outputTokens() == 0 ? null : used.outputTokens());
    }
}
