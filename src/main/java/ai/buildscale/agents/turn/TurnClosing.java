package ai.buildscale.agents.turn;

import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Waiting;
import io.vertx.core.json.JsonObject;

/**
 * The last write of a turn's owner: how the turn ends or is left, its whole answer, and what it has used.
 *
 * @param fence the owner's; a turn that it has lost stays as it is
 */
public record TurnClosing(FencingToken fence, TurnOutcome outcome, String answer, TurnUsage used) {
    /** The closing of a turn that nobody runs: it uses nothing more. */
    static TurnClosing atRest(FencingToken fence, TurnOutcome outcome, String answer) {
        return new TurnClosing(fence, outcome, answer, TurnUsage.NOTHING);
    }

    /** The closing as {@link TurnCloseSql#CLOSE} reads it. */
    JsonObject json() {
        boolean tells = outcome instanceof Failed || outcome instanceof Waiting;
        Waiting asked = outcome instanceof Waiting waiting ? waiting : null;
        return fence.json()
                .put("ending", outcome.ending())
                .put("said", answer)
                .put("reason", tells ? null : outcome.why())
                .put("message", tells ? outcome.why() : null)
                .put("question_id", asked == null ? null : asked.question().toString())
                .put("schema", asked == null || asked.schema() == null ? null : new JsonObject(asked.schema()))
                .put("input_tokens", used.inputTokens())
                .put("output_tokens", used.outputTokens())
                .put("worked_ms", used.millis());
    }
}
