package ai.buildscale.agents.turn;

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

/** Runs {@link TurnSql} and {@link TurnCloseSql}, and reads their rows. */
@ApplicationScoped
class TurnRepository {
    private final Unknown unknownKind = new Unknown(TurnRepository.class, "messages of a kind are not told to agents");
    private final Database database;

    TurnRepository(Database database) {
        this.database = database;
    }

    /** Begins the next turns of this server's sessions: those with new messages, and these. */
    Uni<List<ClaimedTurn>> begin(UUID server, Collection<UUID> sessions) {
        return database.rows(TurnSql.BEGIN, server, sessions.toArray(UUID[]::new))
                .map(rows -> Rows.map(rows, TurnRepository::claimed));
    }

    Uni<List<ClaimedTurn>> takeUpLost(UUID server, Duration parkedFor) {
        return database.rows(TurnSql.TAKE_UP_LOST, server, parkedFor.toMillis())
                .map(rows -> Rows.map(rows, TurnRepository::claimed));
    }

    Uni<List<ClaimedTurn>> takeUpPaused(UUID server, UUID session) {
        return database.rows(TurnSql.TAKE_UP_PAUSED, server, new UUID[] {session})
                .map(rows -> Rows.map(rows, TurnRepository::claimed));
    }

    /** Emits those that were this server's to take. */
    Uni<Set<UUID>> step(UUID server, Collection<TurnStep> steps) {
        return step(database, server, steps);
    }

    /** The same; the server is null for what hosts elsewhere do. */
    Uni<Set<UUID>> step(Db db, UUID server, Collection<TurnStep> steps) {
        JsonArray all = new JsonArray();
        steps.forEach(step -> all.add(step.json()));
        return db.rows(TurnSql.STEP, server, all.encode()).map(TurnRepository::ids);
    }

    /** Emits how many messages wait in the sessions whose turns were this server's to close. */
    Uni<Map<UUID, Integer>> close(UUID server, Collection<TurnClosing> closings) {
        return close(database, server, closings);
    }

    /** The same; the server is null for what hosts elsewhere do. */
    Uni<Map<UUID, Integer>> close(Db db, UUID server, Collection<TurnClosing> closings) {
        Map<UUID, Integer> waiting = new HashMap<>();
        return Multi.createFrom()
                .iterable(statements(closings))
                .onItem()
                .transformToUniAndConcatenate(some -> closed(db, server, some))
                .onItem()
                .invoke(waiting::putAll)
                .collect()
                .last()
                .replaceWith(waiting);
    }

    /** Those that end a session stand apart, a few together: each tells of all that waits for it. */
    private static List<List<TurnClosing>> statements(Collection<TurnClosing> closings) {
        List<TurnClosing> failed = new ArrayList<>();
        List<TurnClosing> others = new ArrayList<>();
        closings.forEach(closing -> (closing.outcome() instanceof TurnOutcome.Failed ? failed : others).add(closing));
        List<List<TurnClosing>> statements = new ArrayList<>();
        if (!others.isEmpty()) {
            statements.add(others);
        }
        for (int i = 0; i < failed.size(); i += TurnCloseSql.ENDS) {
            statements.add(failed.subList(i, Math.min(failed.size(), i + TurnCloseSql.ENDS)));
        }
        return statements;
    }

    private static Uni<Map<UUID, Integer>> closed(Db db, UUID server, List<TurnClosing> closings) {
        JsonArray all = new JsonArray();
        closings.forEach(closing -> all.add(closing.json()));
        return db.rows(TurnCloseSql.CLOSE, server, all.encode()).map(rows -> {
            Map<UUID, Integer> waiting = new HashMap<>();
            rows.forEach(row -> waiting.put(row.getUUID("id"), row.getInteger("mail")));
            return waiting;
        });
    }

    /** Emits the turns that are still this server's, and running. */
    Uni<Set<UUID>> show(UUID server, List<AnswerPiece> pieces) {
        return database.rows(
                        TurnSql.SHOW,
                        server,
                        pieces.stream().map(piece -> piece.fence().turn()).toArray(UUID[]::new),
                        pieces.stream().map(piece -> piece.fence().session()).toArray(UUID[]::new),
                        pieces.stream().map(piece -> piece.fence().epoch()).toArray(Long[]::new),
                        pieces.stream().map(AnswerPiece::from).toArray(Integer[]::new),
                        pieces.stream().map(AnswerPiece::text).toArray(String[]::new))
                .map(TurnRepository::ids);
    }

    /** The session's turn that is not over, with all that is known to be said in it; null if there is none. */
    Uni<OpenTurn> open(UUID server, UUID session) {
        return database.row(TurnSql.OPEN, server, session).chain(row -> {
            if (row == null) {
                return Uni.createFrom().nullItem();
            }
            FencingToken fence =
                    new FencingToken(row.getUUID("id"), session, row.getUUID("chat_id"), row.getLong("epoch"));
            return progress(fence, row.getString("said"))
                    .map(progress -> new OpenTurn(
                            fence, TurnState.known(row.getString("state")), row.getString("status"), progress.text()));
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
    Uni<List<OpenTurn>> orphaned(UUID server) {
        return database.rows(TurnSql.ORPHANED, server)
                .map(rows -> Rows.map(
                        rows,
                        row -> new OpenTurn(
                                new FencingToken(
                                        row.getUUID("id"),
                                        row.getUUID("session_id"),
                                        row.getUUID("chat_id"),
                                        row.getLong("epoch")),
                                TurnState.known(row.getString("state")),
                                row.getString("status"),
                                row.getString("said"))));
    }

    /** What was said in a turn: up to its last durable point, and what was shown beyond. */
    Uni<AnswerProgress> progress(FencingToken fence, String durable) {
        return database.rows(TurnSql.CHUNKS, fence.chat(), fence.turn()).map(rows -> {
            StringBuilder answer = new StringBuilder(durable);
            int shown = 0;
            for (Row row : rows) {
                int from = row.getInteger("from_char");
                String text = row.getString("text");
                int known = answer.length() - from;
                if (known >= 0 && known < text.length()) {
                    answer.append(text, known, text.length());
                }
                if (from <= shown) {
                    shown = Math.max(shown, from + text.length());
                }
            }
            return new AnswerProgress(answer.toString(), Math.min(shown, answer.length()));
        });
    }

    /** What the agent of a chat remembers, oldest first. */
    Uni<List<Turn.HistoryEntry>> memory(UUID chat, UUID turn, int limit) {
        return database.rows(TurnSql.MEMORY, chat, turn, limit).map(rows -> {
            List<Turn.HistoryEntry> memory = new ArrayList<>(rows.size());
            for (Row row : rows) {
                Turn.HistoryEntry entry = entry(row);
                if (entry.kind() == null) {
                    unknownKind.met(row.getString("kind"));
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

    private static ClaimedTurn claimed(Row row) {
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
