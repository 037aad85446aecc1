package ai.buildscale.agents.turn;

import io.vertx.core.json.JsonObject;
import java.util.UUID;

/** The fencing token of a turn's owner: every write names it, and one with an older epoch is refused. */
public record FencingToken(UUID turn, UUID session, UUID chat, long epoch) {
    /** The token as the statements of {@link TurnSql} read it. */
    JsonObject json() {
        return new JsonObject()
                .put("turn_id", turn.toString())
                .put("session_id", session.toString())
                .put("epoch", epoch);
    }
}
