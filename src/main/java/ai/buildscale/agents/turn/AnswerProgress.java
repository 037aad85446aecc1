package ai.buildscale.agents.turn;

/**
 * The answer of a turn so far.
 *
 * @param shown how much of the text followers have seen, in UTF-16 units; the rest is shown next
 */
record AnswerProgress(String text, int shown) {}
