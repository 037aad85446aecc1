package ai.buildscale.agents.chat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** A chat with its agent, as the tests talk to it. */
public record Talk(Api owner, String workspaceId, String chatId, String sessionId) {
    public static Talk begin(Api owner, String workspaceId, String body) {
        JsonNode made =
                owner.post("/workspaces/" + workspaceId + "/chats", body).expect(201);
        return new Talk(
                owner,
                workspaceId,
                made.get("chat_id").asText(),
                made.get("session_id").asText());
    }

    public static Talk begin(Api owner, String workspaceId) {
        return begin(owner, workspaceId, "{}");
    }

    /** The same, by another or at another server. */
    public Talk as(Api other) {
        return new Talk(other, workspaceId, chatId, sessionId);
    }

    public String path() {
        return "/workspaces/" + workspaceId + "/chats/" + chatId;
    }

    public Api.Reply post(String content, String onBusy) {
        ObjectNode body = Api.JSON.createObjectNode().put("content", content);
        if (onBusy != null) {
            body.put("on_busy", onBusy);
        }
        return owner.post(path(), body.toString());
    }

    /** Says something, which must be accepted; the message's id. */
    public String say(String... lines) {
        JsonNode accepted = post(String.join("\n", lines), null).expect(202);
        return accepted.get("message_id").asText();
    }

    public Api.Reply stop() {
        return owner.post(path() + "/stop", "");
    }

    public Api.Reply command(String command) {
        return owner.post("/agent-sessions/" + sessionId + "/" + command + "?wait=10", "{}");
    }

    public Api.Reply answer(String json) {
        return owner.post(path() + "/answers", "{\"answer\":" + json + "}");
    }

    public SseStream stream(String... headers) {
        return owner.stream(path() + "/events", headers);
    }

    public JsonNode whole() {
        return owner.get(path()).expect(200);
    }

    public JsonNode session() {
        return owner.session(sessionId);
    }

    /** What was said and done, as {@code kind: content}, oldest first. */
    public List<String> told() {
        return StreamSupport.stream(whole().get("messages").spliterator(), false)
                .map(message -> message.get("kind").asText() + ": "
                        + message.get("content").asText())
                .toList();
    }

    /** The session's events of this type, with their data. */
    public List<JsonNode> events(String type) {
        return owner.history(sessionId).stream()
                .filter(event -> event.get("event").asText().equals(type))
                .map(event -> event.get("data"))
                .toList();
    }

    /** The answer of a turn as a client puts it together that only reads chunks, as it would show it now. */
    public static String shown(SseStream stream, String turn) {
        StringBuilder text = new StringBuilder();
        for (SseStream.Event event : stream.events()) {
            if (event.type().equals("chunk")
                    && (turn == null || event.text("turn_id").equals(turn))) {
                int offset = event.data().get("offset").asInt();
                if (offset > text.length()) {
                    throw new AssertionError("a gap before " + event + " after " + text);
                }
                text.setLength(offset);
                text.append(event.text("text"));
            }
        }
        return text.toString();
    }

    /** The types of a stream's events, chunks that follow each other as one. */
    public static String course(SseStream stream) {
        return stream.changes().stream()
                .map(event -> event.type().equals("agent_status") ? event.text("status") : event.type())
                .collect(Collectors.joining(" "))
                .replaceAll("chunk( chunk)*", "chunk");
    }
}
