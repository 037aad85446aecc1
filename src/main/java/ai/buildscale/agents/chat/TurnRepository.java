package ai.buildscale.agents.chat;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.platform.Unknown;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Runs {@link TurnSql} and reads its rows. */
@ApplicationScoped
class TurnRepository {
    private final Unknown untold = new Unknown(TurnRepository.class, "messages of a kind are not told to agents");
    private final Database database;

    TurnRepository(Database database) {
        this.database = database;
    }

    /** Whose a turn is; every write names it. */
    record FencingToken(UUID turn, UUID session, UUID chat, long epoch) {}

    /**
     * A turn that is this server's to run from now on.
     *
     * @param said its durable answer so far
     * @param news what began or resumed it, unless it was taken up again
     * @param tokensLeft what its budget leaves, or null for no limit
     * @param millisLeft the same for its time
     * @param traceparent the trace of the message that it works on, or null
     */
    record ClaimedTurn(
            FencingToken fence,
            int attempt,
            String said,
            AgentType agentType,
            Mode mode,
            String model,
            String goal,
            Turn.HistoryEntry news,
            Long tokensLeft,
            Long millisLeft,
            String traceparent) {}

    /** A turn that is not over, the state of its session, and what was said in it. */
    record Open(FencingToken fence, String state, String status, String said) {}

    /**
     * Something that a running turn does.
     *
     * @param seq its number among the steps since the turn was begun or taken up; null for what has none
     * @param kind the event's, or {@code mode} or {@code task}
     */
    record Step(
            FencingToken fence,
            Long seq,
            String kind,
            String content,
            JsonObject data,
            JsonObject event,
            String said,
            String mode,
            String task) {
        JsonObject json() {
            return json(fence)
                    .put("seq", seq)
                    .put("kind", kind)
                    .put("content", content)
                    .put("data", data)
                    .put("event", event)
                    .put("said", said)
                    .put("mode", mode)
                    .put("task", task);
        }

        static JsonObject json(FencingToken fence) {
            return new JsonObject()
                    .put("turn_id", fence.turn().toString())
                    .put("session_id", fence.session().toString())
                    .put("epoch", fence.epoch());
        }
    }

    /** How a turn is closed; see {@link TurnSql#CLOSE}. */
    record TurnOutcome(
            FencingToken fence,
            String ending,
            String said,
            String reason,
            String words,
            UUID question,
            String schema,
            Used used) {
        JsonObject json() {
            return Step.json(fence)
                    .put("ending", ending)
                    .put("said", said)
                    .put("reason", reason)
                    .put("message", words)
                    .put("question_id", question == null ? null : question.toString())
                    .put("schema", schema == null ? null : new JsonObject(schema))
                    .put("input_tokens", used.inputTokens())
                    .put("output_tokens", used.outputTokens())
                    .put("worked_ms", used.millis());
        }
    }

    /**
     * What was said in a turn.
     *
     * @param shown how much of it those who follow have seen; what they have not is shown next
     */
    record AnswerProgress(String text, int shown) {}

    /** What a turn has used. */
    record Used(long inputTokens, long outputTokens, long millis) {
        static final Used NOTHING = new Used(0, 0, 0);
    }

    /** A piece of an answer, and its place in it. */
    record Piece(FencingToken fence, int from, String text) {}

    /** Begins the next turns of this server's sessions: those with new messages, and these. */
    Uni<List<ClaimedTurn>> begin(UUID server, Collection<UUID> sessions) {
        return database.rows(TurnSql.BEGIN, server, sessions.toArray(UUID[]::new))
                .map(rows -> Rows.map(rows, TurnRepository::begun));
    }

    Uni<List<ClaimedTurn>> takeUpLost(UUID server, Duration parkedFor) {
        return database.rows(TurnSql.TAKE_UP_LOST, server, parkedFor.toMillis())
                .map(rows -> Rows.map(rows, TurnRepository::begun));
    }

    Uni<List<ClaimedTurn>> takeUpPaused(UUID server, UUID session) {
        return database.rows(TurnSql.TAKE_UP_PAUSED, server, new UUID[] {session})
                .map(rows -> Rows.map(rows, TurnRepository::begun));
    }

    /** Emits those that were this server's to take. */
    Uni<Set<UUID>> step(UUID server, Collection<Step> steps) {
        return step(database, server, steps);
    }

    /** The same; the server is null for what hosts elsewhere do. */
    Uni<Set<UUID>> step(Db db, UUID server, Collection<Step> steps) {
        JsonArray all = new JsonArray();
        steps.forEach(step -> all.add(step.json()));
        return db.rows(TurnSql.STEP, server, all.encode()).map(TurnRepository::ids);
    }

    /** Emits how many messages wait in the sessions whose turns were this server's to close. */
    Uni<Map<UUID, Integer>> close(UUID server, Collection<TurnOutcome> endings) {
        return close(database, server, endings);
    }

    /** The same; the server is null for what hosts elsewhere do. */
    Uni<Map<UUID, Integer>> close(Db db, UUID server, Collection<TurnOutcome> endings) {
        Map<UUID, Integer> waiting = new HashMap<>();
        return Multi.createFrom()
                .iterable(statements(endings))
                .onItem()
                .transformToUniAndConcatenate(some -> closed(db, server, some))
                .onItem()
                .invoke(waiting::putAll)
                .collect()
                .last()
                .replaceWith(waiting);
    }

    /** Those that end a session stand apart, a few together: each tells of all that waits for it. */
    private static List<List<TurnOutcome>> statements(Collection<TurnOutcome> endings) {
        List<TurnOutcome> failed = new ArrayList<>();
        List<TurnOutcome> others = new ArrayList<>();
        endings.forEach(ending -> (ending.ending().equals("failed") ? failed : others).add(ending));
        List<List<TurnOutcome>> statements = new ArrayList<>();
        if (!others.isEmpty()) {
            statements.add(others);
        }
        for (int i = 0; i < failed.size(); i += TurnSql.ENDS) {
            statements.add(failed.subList(i, Math.min(failed.size(), i + TurnSql.ENDS)));
        }
        return statements;
    }

    private static Uni<Map<UUID, Integer>> closed(Db db, UUID server, List<TurnOutcome> endings) {
        JsonArray all = new JsonArray();
        endings.forEach(ending -> all.add(ending.json()));
        return db.rows(TurnSql.CLOSE, server, all.encode()).map(rows -> {
            Map<UUID, Integer> waiting = new HashMap<>();
            rows.forEach(row -> waiting.put(row.getUUID("id"), row.getInteger("mail")));
            return waiting;
        });
    }

    /** Emits the turns that are still this server's, and running. */
    Uni<Set<UUID>> show(UUID server, List<Piece> pieces) {
        return database.rows(
                        TurnSql.SHOW,
                        server,
                        pieces.stream().map(piece -> piece.fence().turn()).toArray(UUID[]::new),
                        pieces.stream().map(piece -> piece.fence().session()).toArray(UUID[]::new),
                        pieces.stream().map(piece -> piece.fence().epoch()).toArray(Long[]::new),
                        pieces.stream().map(Piece::from).toArray(Integer[]::new),
                        pieces.stream().map(Piece::text).toArray(String[]::new))
                .map(TurnRepository::ids);
    }

    /** The session's turn that is not over, with all that is known to be said in it; null if there is none. */
    Uni<Open> open(UUID server, UUID session) {
        return database.row(TurnSql.OPEN, server, session).chain(row -> {
            if (row == null) {
                return Uni.createFrom().nullItem();
            }
            FencingToken fence =
                    new FencingToken(row.getUUID("id"), session, row.getUUID("chat_id"), row.getLong("epoch"));
            return said(fence, row.getString("said"))
                    .map(said -> new Open(fence, row.getString("state"), row.getString("status"), said.text()));
        });
    }

    /** Sessions of this server whose messages wait although they are free. */
    Uni<Set<UUID>> waiting(UUID server) {
        return database.rows(TurnSql.WAITING, server).map(TurnRepository::ids);
    }

    /** Emits which of these and of those that have just ended are not this server's to run, and whether each has ended. */
    Uni<Map<UUID, Boolean>> gone(UUID server, List<UUID> sessions) {
        return database.rows(TurnSql.GONE, server, sessions.toArray(UUID[]::new))
                .map(rows -> {
                    Map<UUID, Boolean> gone = new HashMap<>();
                    rows.forEach(row -> gone.put(row.getUUID("id"), row.getBoolean("ended")));
                    return gone;
                });
    }

    /** Turns of this server of which nothing has been heard for a while, and those of sessions that are idle. */
    Uni<List<Open>> strays(UUID server) {
        return database.rows(TurnSql.STRAYS, server)
                .map(rows -> Rows.map(
                        rows,
                        row -> new Open(
                                new FencingToken(
                                        row.getUUID("id"),
                                        row.getUUID("session_id"),
                                        row.getUUID("chat_id"),
                                        row.getLong("epoch")),
                                row.getString("state"),
                                row.getString("status"),
                                row.getString("said"))));
    }

    /** What was said in a turn: up to its last durable point, and what was shown beyond. */
    Uni<AnswerProgress> said(FencingToken fence, String durable) {
        return database.rows(TurnSql.CHUNKS, fence.chat(), fence.turn()).map(rows -> {
            StringBuilder said = new StringBuilder(durable);
            int shown = 0;
            for (Row row : rows) {
                int from = row.getInteger("from_char");
                String text = row.getString("text");
                int known = said.length() - from;
                if (known >= 0 && known < text.length()) {
                    said.append(text, known, text.length());
                }
                if (from <= shown) {
                    shown = Math.max(shown, from + text.length());
                }
            }
            return new AnswerProgress(said.toString(), Math.min(shown, said.length()));
        });
    }

    /** What the agent of a chat remembers, oldest first. */
    Uni<List<Turn.HistoryEntry>> memory(UUID chat, UUID turn, int limit) {
        return database.rows(ChatSql.MEMORY, chat, turn, limit).map(rows -> {
            List<Turn.HistoryEntry> memory = new ArrayList<>(rows.size());
            for (Row row : rows) {
                Turn.HistoryEntry entry = entry(row);
                if (entry.kind() == null) {
                    untold.met(row.getString("kind"));
                } else {
                    memory.add(entry);
                }
            }
            return memory;
        });
    }

    private static Turn.HistoryEntry entry(Row row) {
        return new Turn.HistoryEntry(
                row.getUUID("turn_id"),
                WireEnum.known(EntryKind.class, row.getString("kind")),
                row.getString("content"),
                row.getString("data"));
    }

    private static ClaimedTurn begun(Row row) {
        return new ClaimedTurn(
                new FencingToken(
                        row.getUUID("turn_id"),
                        row.getUUID("session_id"),
                        row.getUUID("chat_id"),
                        row.getLong("epoch")),
                row.getInteger("attempt"),
                row.getString("said"),
                WireEnum.known(AgentType.class, row.getString("agent_type")),
                WireEnum.known(Mode.class, row.getString("mode")),
                row.getString("model"),
                row.getString("goal"),
                row.getString("kind") == null ? null : entry(row),
                row.getLong("tokens_left"),
                row.getLong("millis_left"),
                row.getString("traceparent"));
    }

    private static Set<UUID> ids(Iterable<Row> rows) {
        Set<UUID> ids = new HashSet<>();
        rows.forEach(row -> ids.add(row.getUUID(0)));
        return ids;
    }
}
