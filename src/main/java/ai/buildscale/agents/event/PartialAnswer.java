package ai.buildscale.agents.event;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The partial answer of a running turn, put together from its chunks.
 *
 * @param offset where the text begins in the answer, in UTF-16 units; 0 unless Postgres has crashed in this turn
 */
record PartialAnswer(UUID sessionId, UUID chatId, UUID turnId, int offset, String text) {
    /** Reads chunks in the order of their turns and places; of two that tell of one place the longer text stands. */
    static List<PartialAnswer> of(Iterable<Row> chunks) {
        List<PartialAnswer> all = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        PartialAnswer current = null;
        for (Row chunk : chunks) {
            UUID turn = chunk.getUUID("turn_id");
            int from = chunk.getInteger("from_char");
            if (current == null || !current.turnId.equals(turn)) {
                finish(current, text, all);
                current = new PartialAnswer(chunk.getUUID("session_id"), chunk.getUUID("chat_id"), turn, from, "");
            }
            append(text, from - current.offset, chunk.getString("text"));
        }
        finish(current, text, all);
        return all;
    }

    private static void finish(PartialAnswer current, StringBuilder text, List<PartialAnswer> all) {
        if (current != null) {
            all.add(new PartialAnswer(
                    current.sessionId, current.chatId, current.turnId, current.offset, text.toString()));
            text.setLength(0);
        }
    }

    private static void append(StringBuilder text, int at, String more) {
        int known = text.length() - at;
        if (known >= 0 && known < more.length()) {
            text.append(more, known, more.length());
        }
    }

    /** As the chunk that a client gets who comes in the middle of the turn. */
    Buffer frame() {
        JsonObject data = new JsonObject()
                .put("session_id", sessionId.toString())
                .put("chat_id", chatId.toString())
                .put("turn_id", turnId.toString())
                .put("offset", offset)
                .put("text", text);
        return SseFrame.encode(EventType.CHUNK, data.encode());
    }
}
