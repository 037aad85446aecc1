package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.postgres.SqlText;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;

/**
 * The durable log of events. Events are born only in the statement that changes what they tell of: such a statement
 * appends with {@link #APPEND}, at a position that {@code next_position} gives under the lock of the session's row.
 */
@ApplicationScoped
public class EventLog {
    /** The head of the insert that a changing statement ends with. */
    public static final String APPEND =
            "insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)";

    /**
     * The head of the insert of chunks, which are live only. A statement that appends them appends no events; their
     * positions are {@code (pg_current_xact_id()::text::bigint << 16) + n}, n below 65,536.
     */
    public static final String APPEND_CHUNKS =
            "insert into chunks (position, workspace_id, chat_id, session_id, turn_id, from_char, text)";

    /** The rows that the tail reads in one go. */
    static final int BATCH = 1_000;

    /** The rows that one stream reads in one go; it keeps them in memory until its client has taken them. */
    static final int PAGE = 100;

    private static final String COLUMNS =
            "e.position, e.workspace_id, e.chat_id, e.type, e.data::text as data, e.ends_session";

    private static final String CHUNK_DATA = """
            jsonb_build_object('session_id', c.session_id, 'chat_id', c.chat_id, 'turn_id', c.turn_id,
                'offset', c.from_char, 'text', c.text)::text""";

    static final String TAIL = SqlText.fill("""
            select pg_snapshot_xmin(s.snapshot)::text::bigint << 16 as horizon,
                   pg_snapshot_xmax(s.snapshot)::text::bigint << 16 as ceiling, e.*
            from (select pg_current_snapshot() as snapshot) s
            left join lateral (
                (select {columns}, false as live from events e
                 where e.position > $1 and e.position < pg_snapshot_xmin(s.snapshot)::text::bigint << 16
                 order by e.position
                 limit $3)
                union all
                (select c.position, c.workspace_id, c.chat_id, 'chunk', {chunk_data}, false, true from chunks c
                 where c.position > $2 and c.position < pg_snapshot_xmin(s.snapshot)::text::bigint << 16
                 order by c.position
                 limit $3)
                order by position
                limit $3) e on true""", "columns", COLUMNS, "chunk_data", CHUNK_DATA);

    /** What agents have said in turns that are not over. $1 workspace, $2 chat or null for all, $3 up to this position. */
    private static final String SO_FAR = soFar("($2::uuid is null or c.chat_id = $2)");

    private static final String SO_FAR_OF_CHAT = soFar("c.chat_id = $2");

    private static String soFar(String whose) {
        return SqlText.fill("""
            select c.session_id, c.chat_id, c.turn_id, c.from_char, c.text from chunks c
            where c.workspace_id = $1 and {whose} and c.position <= $3
                and exists (select from turns t where t.id = c.turn_id and t.ended_at is null)
            order by c.turn_id, c.from_char, c.position""", "whose", whose);
    }

    private static final String PAGE_OF_CHAT = page("e.workspace_id = $1 and e.position > $2 and e.chat_id = $4");

    private static final String PAGE_OF_WORKSPACE = page("e.workspace_id = $1 and e.position > $2");

    /** With what was pruned as of the same snapshot, so that no page begins behind a gap. */
    private static String page(String where) {
        return SqlText.fill("""
            select p.up_to, e.*
            from events_pruned p
            left join lateral (
                select {columns} from events e
                where {where} and e.position < events_horizon()
                order by e.position
                limit $3) e on true""", "columns", COLUMNS, "where", where);
    }

    /**
     * The events of the session {@code s} after the position $3, $4 at most, in order; for {@link #view}. A session's own
     * events need no horizon: its row's lock has put them in commit order.
     */
    public static final String HISTORY = """
            select e.position, e.type, e.at, e.data::text as data from events e
            where e.chat_id = s.chat_id and e.session_id = s.id and e.position > $3
            order by e.position
            limit $4""";

    private static final String STANDING = "select events_newest() as newest, events_horizon() as horizon";

    private static final String HELD = """
            select $1 >= up_to and $1 < events_horizon() as held from events_pruned""";

    private static final String PRUNE = """
            with pruned as (
                delete from events where position in (
                    select e.position
                    from (select position, at from events
                          where position < events_horizon()
                          order by position limit $2) e
                    where e.at < now() - $1 * interval '1 millisecond')
                returning position),
            marked as (
                update events_pruned set up_to = greatest(up_to, (select max(position) from pruned))
                where exists (select from pruned))
            select count(*) as n from pruned""";

    private final Database database;

    EventLog(Database database) {
        this.database = database;
    }

    /**
     * What the tail has read.
     *
     * @param horizon every event below is visible; nothing new will ever appear there
     * @param ceiling what has been committed by now lies below
     */
    record LogBatch(List<SseFrame> frames, long horizon, long ceiling) {}

    /**
     * @param after events after this position
     * @param chunksAfter chunks after this one: their positions are not for keeping, see {@code events_newest}
     */
    Uni<LogBatch> tail(long after, long chunksAfter) {
        return database.rows(TAIL, after, chunksAfter, BATCH).map(rows -> {
            Row first = rows.iterator().next();
            boolean empty = first.getLong("position") == null;
            return new LogBatch(
                    empty ? List.of() : Rows.map(rows, EventLog::liveFrame),
                    first.getLong("horizon"),
                    first.getLong("ceiling"));
        });
    }

    /** Where a stream wants to go on is no longer held: the client must come again, for a reset. */
    static final class PositionPruned extends RuntimeException {
        PositionPruned(long position) {
            super("position " + position + " is no longer held", null, false, false);
        }
    }

    /**
     * The topic's events after the position and below the horizon, in order; fewer than {@link #PAGE} if no more. Fails
     * with {@link PositionPruned} if any may be missing.
     */
    Uni<List<SseFrame>> page(Topic topic, long after) {
        return (topic.isChat()
                        ? database.rows(PAGE_OF_CHAT, topic.workspaceId(), after, PAGE, topic.chatId())
                        : database.rows(PAGE_OF_WORKSPACE, topic.workspaceId(), after, PAGE))
                .map(rows -> {
                    Row first = rows.iterator().next();
                    if (first.getLong("up_to") > after) {
                        throw new PositionPruned(after);
                    }
                    return first.getLong("position") == null ? List.of() : frames(rows);
                });
    }

    /** What the topic's agents have said so far in turns that are not over, up to the position. */
    Uni<List<PartialAnswer>> soFar(Topic topic, long position) {
        return database.rows(topic.isChat() ? SO_FAR_OF_CHAT : SO_FAR, topic.workspaceId(), topic.chatId(), position)
                .map(PartialAnswer::of);
    }

    /** Reads a row of {@link #HISTORY}. */
    public static EventView view(Row row) {
        return new EventView(
                row.getLong("position"), row.getString("type"), Rows.instant(row, "at"), row.getString("data"));
    }

    /**
     * Where the log stands.
     *
     * @param newest the position of the newest event that is below the horizon
     * @param horizon the position below which nothing new will appear
     */
    record Standing(long newest, long horizon) {}

    Uni<Standing> standing() {
        return database.row(STANDING).map(row -> new Standing(row.getLong("newest"), row.getLong("horizon")));
    }

    /** Whether everything after the position is still there. */
    Uni<Boolean> holds(long position) {
        return database.row(HELD, position).map(row -> row.getBoolean("held"));
    }

    /** Removes up to {@code limit} of the events older than {@code retention}; emits how many. */
    Uni<Integer> prune(Duration retention, int limit) {
        return database.row(PRUNE, retention.toMillis(), limit)
                .map(row -> row.getLong("n").intValue());
    }

    private static SseFrame liveFrame(Row row) {
        return row.getBoolean("live")
                ? SseFrame.live(
                        row.getLong("position"),
                        row.getUUID("workspace_id"),
                        row.getUUID("chat_id"),
                        row.getString("type"),
                        row.getString("data"))
                : frame(row);
    }

    private static SseFrame frame(Row row) {
        return SseFrame.of(
                row.getLong("position"),
                row.getUUID("workspace_id"),
                row.getUUID("chat_id"),
                row.getString("type"),
                row.getString("data"),
                row.getBoolean("ends_session"));
    }

    private static List<SseFrame> frames(RowSet<Row> rows) {
        return Rows.map(rows, EventLog::frame);
    }
}
