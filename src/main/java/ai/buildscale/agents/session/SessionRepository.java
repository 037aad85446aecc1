package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.event.EventView;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.workspace.Permission;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Runs {@link SessionSql} and reads its rows. */
@ApplicationScoped
class SessionRepository {
    /** Columns of a view, after which a statement's own begin. */
    static final int VIEW_COLUMNS = 38;

    /**
     * What a changing statement found and did.
     *
     * @param session as it is now
     * @param command what its owner was told by this statement, else last; null if nothing was, or was asked for
     * @param applied whether this statement changed it; the old values are those it was judged by
     * @param permission what the caller may do with it, if it was not changed; null for nothing
     * @param work what there was to do in its chat, where it was asked to run; null for no chat's
     */
    record Outcome(
            SessionView session,
            boolean applied,
            String oldStatus,
            long oldVersion,
            UUID oldPauseId,
            UUID oldResumedPauseId,
            long oldEpoch,
            Permission permission,
            CommandView command,
            String work) {
        Outcome with(Permission found) {
            return new Outcome(
                    session,
                    applied,
                    oldStatus,
                    oldVersion,
                    oldPauseId,
                    oldResumedPauseId,
                    oldEpoch,
                    found,
                    command,
                    work);
        }

        /** Whether it was judged by a version that was expected; null for any. */
        boolean isAt(List<Long> versions) {
            return versions == null || versions.contains(oldVersion);
        }

        /** Whether there was something for the chat's agent to do. */
        boolean hasWork() {
            return work != null && !work.equals("none");
        }
    }

    /**
     * What creating a session found and did.
     *
     * @param occupied whether the chat has a live session
     * @param takes whether the server takes sessions
     * @param session null if it was refused
     */
    record Creation(int quota, boolean occupied, boolean takes, SessionView session) {}

    /** One beat's answer; not live, and status and epoch null, where there is no such session. */
    record BeatRow(UUID id, long given, Permission permission, String status, Long epoch, boolean live) {}

    /** Filters of a list, null for any. */
    record Filter(boolean live, List<String> statuses, AgentType agentType, UUID userId, UUID serverId, String labels) {
        String[] statusArray() {
            return statuses == null ? null : statuses.toArray(String[]::new);
        }

        boolean isEmpty() {
            return statuses == null && agentType == null && userId == null && serverId == null && labels == null;
        }
    }

    /**
     * Emits null if there is no such session.
     *
     * @param caller here and below: null for one who may everything
     */
    Uni<Seen<SessionView>> find(Db db, UUID id, UUID caller) {
        return db.row(SessionSql.GET, id, caller).chain(row -> {
            if (row == null) {
                return Uni.createFrom().nullItem();
            }
            SessionView session = view(row, 0);
            String permission = row.getString(VIEW_COLUMNS);
            return permission == null
                    ? permission(db, id, caller).map(other -> other == null ? null : other.with(session))
                    : Uni.createFrom().item(new Seen<>(Permission.of(permission), session));
        });
    }

    /** The session that lives in the chat or did last; emits null if there is none. */
    Uni<SessionView> findOfChat(Db db, UUID workspace, UUID chat) {
        return db.row(SessionSql.OF_CHAT, workspace, chat).map(row -> row == null ? null : view(row, 0));
    }

    /** What was not done may have been forbidden. */
    private static Uni<Outcome> judged(Db db, UUID caller, Outcome outcome) {
        return outcome == null || outcome.applied()
                ? Uni.createFrom().item(outcome)
                : permission(db, outcome.session().id(), caller)
                        .map(found -> found == null ? null : outcome.with(found.permission()));
    }

    /** @param permission null for none */
    private record Found(Permission permission) {
        Seen<SessionView> with(SessionView session) {
            return new Seen<>(permission, session);
        }
    }

    /**
     * A second statement, which callers who own the session and may what they ask for do not cost. Emits null if there is no
     * such session any more.
     */
    private static Uni<Found> permission(Db db, UUID id, UUID caller) {
        return db.row(SessionSql.PERMISSION, id, caller)
                .map(row -> row == null ? null : new Found(Permission.of(row.getString(0))));
    }

    /** Emits null if there is no such session. */
    Uni<Seen<List<EventView>>> history(Db db, UUID id, UUID caller, long after, int limit) {
        return db.rows(SessionSql.HISTORY, id, caller, after, limit)
                .map(rows -> Seen.all(rows, row -> row.getLong("position") == null ? null : EventLog.view(row)));
    }

    /** Emits null if there is no such session. */
    Uni<Outcome> transition(Db db, UUID id, UUID caller, UUID newPauseId, UUID actor, Transition t) {
        SessionStatus target = t.command().target();
        return db.row(
                        SessionCommandSql.transition(t.command()),
                        id,
                        caller,
                        t.command().from(),
                        target == null ? null : target.toString(),
                        t.reason(),
                        t.task(),
                        t.message(),
                        t.result(),
                        array(t.expectedVersions()),
                        t.pauseId(),
                        t.command() == SessionCommand.PAUSE ? newPauseId : null,
                        t.pauseFor() == null ? null : t.pauseFor().toSeconds(),
                        actor,
                        Traces.current())
                .map(row -> outcome(row, true))
                .chain(outcome -> judged(db, caller, outcome));
    }

    /**
     * Emits null if there is no such session.
     *
     * @param epoch what a heartbeat names, or null for a change
     */
    Uni<Outcome> change(Db db, UUID id, UUID caller, List<Long> expectedVersions, SessionChange change, Long epoch) {
        return db.row(
                        SessionSql.CHANGE,
                        id,
                        caller,
                        array(expectedVersions),
                        change.names("current_task"),
                        change.getCurrentTask(),
                        change.getModel(),
                        string(change.getMode()),
                        string(change.getAgentType()),
                        change.labelsJson(),
                        change.names("blocked_on"),
                        change.getBlockedOn(),
                        change.madeProgress(),
                        epoch,
                        epoch != null,
                        change.names("budget"),
                        turns(change.getBudget()),
                        tokens(change.getBudget()),
                        seconds(change.getBudget()))
                .map(row -> outcome(row, false))
                .chain(outcome -> judged(db, caller, outcome));
    }

    /**
     * Emits null if there is no such workspace.
     *
     * @param roles those that may; null for everybody
     */
    Uni<Creation> create(
            Db db,
            UUID id,
            UUID workspaceId,
            UUID userId,
            String[] roles,
            NewSession wanted,
            String chatName,
            SessionPlacement.Server host) {
        return db.row(
                        SessionSql.CREATE,
                        id,
                        workspaceId,
                        wanted.chatId(),
                        userId,
                        roles,
                        wanted.agentType().toString(),
                        wanted.model(),
                        wanted.mode().toString(),
                        wanted.task(),
                        wanted.hosting().toString(),
                        wanted.labelsJson(),
                        host == null ? null : host.id(),
                        host == null ? null : host.hostname(),
                        wanted.requiresJson(),
                        chatName,
                        turns(wanted.budget()),
                        tokens(wanted.budget()),
                        seconds(wanted.budget()))
                .map(row -> row == null
                        ? null
                        : new Creation(
                                row.getInteger(VIEW_COLUMNS),
                                row.getBoolean(VIEW_COLUMNS + 1),
                                row.getBoolean(VIEW_COLUMNS + 2),
                                row.getUUID(0) == null ? null : view(row, 0)));
    }

    Uni<List<SessionView>> list(Db db, UUID workspaceId, Filter filter, Page page) {
        return db.rows(
                        SessionSql.list(filter.live()),
                        workspaceId,
                        filter.statusArray(),
                        string(filter.agentType()),
                        filter.userId(),
                        filter.serverId(),
                        filter.labels(),
                        page.before(),
                        page.limit())
                .map(rows -> Rows.map(rows, row -> view(row, 0)));
    }

    Uni<Long> count(Db db, UUID workspaceId, Filter filter) {
        if (filter.isEmpty()) {
            return db.row(SessionSql.USAGE, workspaceId)
                    .map(row -> row == null
                            ? 0L
                            : filter.live() ? row.getInteger("live_sessions") : row.getLong("total_sessions"));
        }
        return db.row(
                        SessionSql.count(filter.live()),
                        workspaceId,
                        filter.statusArray(),
                        string(filter.agentType()),
                        filter.userId(),
                        filter.serverId(),
                        filter.labels())
                .map(row -> row.getLong("total"));
    }

    /** In the order of the ids given. */
    Uni<List<BeatRow>> beat(Db db, UUID[] ids, Long[] epochs, UUID caller) {
        return db.rows(SessionSql.BEAT, ids, epochs, caller).map(rows -> {
            Map<UUID, Row> found = HashMap.newHashMap(rows.size());
            rows.forEach(row -> found.put(row.getUUID(0), row));
            List<BeatRow> beats = new ArrayList<>(ids.length);
            for (int i = 0; i < ids.length; i++) {
                Row row = found.get(ids[i]);
                beats.add(
                        row == null
                                ? new BeatRow(ids[i], epochs[i], null, null, null, false)
                                : new BeatRow(
                                        ids[i],
                                        epochs[i],
                                        Permission.of(row.getString(1)),
                                        row.getString(2),
                                        row.getLong(3),
                                        row.getBoolean(4)));
            }
            return beats;
        });
    }

    /** Whether the caller may not even read one of these. */
    Uni<Boolean> anyForeign(Db db, UUID[] ids, UUID caller) {
        return db.row(SessionSql.ANY_FOREIGN, ids, caller).map(row -> row.getBoolean(0));
    }

    private static Integer turns(Budget budget) {
        return budget == null ? null : budget.maxTurns();
    }

    private static Long tokens(Budget budget) {
        return budget == null ? null : budget.maxTokens();
    }

    private static Long seconds(Budget budget) {
        return budget == null ? null : budget.maxSeconds();
    }

    private static Long[] array(List<Long> versions) {
        return versions == null ? null : versions.toArray(Long[]::new);
    }

    private static String string(Object constant) {
        return constant == null ? null : constant.toString();
    }

    private static Outcome outcome(Row row, boolean commands) {
        return row == null
                ? null
                : new Outcome(
                        view(row, 0),
                        row.getBoolean(VIEW_COLUMNS),
                        row.getString(VIEW_COLUMNS + 1),
                        row.getLong(VIEW_COLUMNS + 2),
                        row.getUUID(VIEW_COLUMNS + 3),
                        row.getUUID(VIEW_COLUMNS + 4),
                        row.getLong(VIEW_COLUMNS + 5),
                        row.getBoolean(VIEW_COLUMNS) ? Permission.CONTROL : null,
                        commands ? CommandRepository.view(row, VIEW_COLUMNS + 6) : null,
                        commands ? row.getString("work") : null);
    }

    /** Reads {@code SessionSql.VIEW}, which begins at the column {@code at}. */
    static SessionView view(Row row, int at) {
        UUID pauseId = row.getUUID(at + 23);
        return new SessionView(
                row.getUUID(at),
                row.getUUID(at + 1),
                row.getUUID(at + 2),
                row.getUUID(at + 3),
                row.getString(at + 4),
                row.getString(at + 5),
                row.getString(at + 6),
                row.getString(at + 7),
                row.getString(at + 9),
                row.getString(at + 10),
                row.getString(at + 11),
                Rows.instant(row, at + 12),
                Rows.instant(row, at + 13),
                Rows.instant(row, at + 14),
                Rows.instant(row, at + 15),
                row.getString(at + 8),
                row.getValue(at + 15) != null,
                row.getLong(at + 16),
                row.getLong(at + 17),
                row.getString(at + 18),
                row.getUUID(at + 19),
                row.getString(at + 20),
                Rows.instant(row, at + 21),
                row.getString(at + 22),
                pauseId == null
                        ? null
                        : new SessionView.Pause(
                                pauseId,
                                row.getString(at + 24),
                                row.getUUID(at + 25),
                                Rows.instant(row, at + 26),
                                Rows.instant(row, at + 27)),
                row.getString(at + 28),
                row.getString(at + 29),
                Rows.instant(row, at + 30),
                new SessionView.Usage(
                        row.getInteger(at + 31),
                        row.getLong(at + 32),
                        row.getLong(at + 33),
                        row.getLong(at + 34) / 1_000),
                new Budget(row.getInteger(at + 35), row.getLong(at + 36), row.getLong(at + 37)));
    }
}
