package ai.buildscale.agents.turn;

/**
 * A turn that is not over, as it was found.
 *
 * @param state null for one that only a newer server knows
 * @param status the state of its session, by its name
 * @param answer its durable answer, or all that was said
 */
record OpenTurn(FencingToken fence, TurnState state, String status, String answer) {}
