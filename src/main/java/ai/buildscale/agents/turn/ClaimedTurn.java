package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;

/**
 * A turn that this server has claimed: it is this server's to run from now on.
 *
 * @param answer its durable answer so far
 * @param news what began or resumed it, unless it was claimed from another owner
 * @param tokensLeft what its budget leaves, or null for no limit
 * @param millisLeft the same for its time
 * @param traceparent the trace of the message that it works on, or null
 */
record ClaimedTurn(
        FencingToken fence,
        int attempt,
        String answer,
        AgentType agentType,
        Mode mode,
        String model,
        String goal,
        Turn.HistoryEntry news,
        Long tokensLeft,
        Long millisLeft,
        String traceparent) {}
