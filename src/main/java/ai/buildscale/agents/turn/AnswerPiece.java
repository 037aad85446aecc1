package ai.buildscale.agents.turn;

/**
 * A piece of an answer.
 *
 * @param from its place in the answer, in UTF-16 units
 */
record AnswerPiece(FencingToken fence, int from, String text) {}
