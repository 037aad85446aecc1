package ai.buildscale.agents.event;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.UUID;

/** A chat's session with its stream, as the tests of events use it. */
public record Chat(Api owner, String workspaceId, String chatId, String sessionId) {
    /** A new idle session in a chat of its own; hosted outside, so that every event is one that the test has caused. */
    public static Chat open(Api owner, String workspaceId) {
        JsonNode session = owner.newSession(
                workspaceId, "{\"agent_type\":\"assistant\",\"model\":\"m\",\"hosting\":\"external\"}");
        return new Chat(
                owner,
                workspaceId,
                session.get("chat_id").asText(),
                session.get("id").asText());
    }

    /** The same at another server. */
    Chat as(Api other) {
        return new Chat(other, workspaceId, chatId, sessionId);
    }

    public String path() {
        return "/workspaces/" + workspaceId + "/chats/" + chatId + "/events";
    }

    SseStream stream(String... headers) {
        return owner.stream(path(), headers);
    }

    SseStream streamAfter(String lastId) {
        return stream("Last-Event-ID", lastId);
    }

    /** Carries out commands, each of which must succeed. */
    public Chat does(String... commands) {
        for (String command : commands) {
            Api.Reply reply = command.equals("cancel")
                    ? owner.delete("/agent-sessions/" + sessionId)
                    : owner.command(sessionId, command, "{}");
            reply.expect(200);
        }
        return this;
    }

    /** The id of the n-th event of the session's history, from 1. */
    public String idOf(int n) {
        return owner.history(sessionId).get(n - 1).get("position").asText();
    }

    /**
     * Appends events to the log past the service's back, in one transaction; at most 4,000. The API's document does not
     * have them: who reads them is {@link Api#amongNewer}.
     */
    void append(String databaseUrl, int count, int bytes) {
        Postgres.execute(
                databaseUrl,
                """
                insert into events (position, workspace_id, chat_id, session_id, type, data, at)
                select next_position(0, n), ?, ?, ?, 'of_a_test',
                       jsonb_build_object('session_id', ?::text, 'n', n, 'text', repeat('x', ?)), now()
                from generate_series(0, ? - 1) n""",
                UUID.fromString(workspaceId),
                UUID.fromString(chatId),
                UUID.fromString(sessionId),
                sessionId,
                bytes,
                count);
    }

    /** The event's own JSON with its position and type, as history and stream must both tell it. */
    static Map<String, Object> told(JsonNode ofHistory) {
        return Map.of(
                "id", ofHistory.get("position").asText(),
                "event", ofHistory.get("event").asText(),
                "data", ofHistory.get("data"));
    }

    static Map<String, Object> told(SseStream.Event ofStream) {
        return Map.of("id", ofStream.id(), "event", ofStream.type(), "data", ofStream.data());
    }
}
