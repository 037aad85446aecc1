package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.turn.FencingToken;
import ai.buildscale.agents.turn.TurnClosing;
import ai.buildscale.agents.turn.TurnOutcome;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import ai.buildscale.agents.turn.TurnState;
import ai.buildscale.agents.turn.TurnUsage;
import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.quarkus.panache.common.Sort;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Runs {@link HostSql} and {@link HostClaimSql} and reads their rows; reads hosts as entities. */
@ApplicationScoped
class HostRepository implements PanacheRepositoryBase<AgentHost, UUID> {
    private final Database database;

    HostRepository(Database database) {
        this.database = database;
    }

    /** A request for work: the host, and whether it serves all workspaces. */
    record WorkRequest(UUID host, boolean everywhere) {}

    /**
     * A turn as it is under its lock.
     *
     * @param host the host that holds it, or null
     * @param sessionEpoch the epoch that counts; the fence has the turn's
     * @param answer null where it was not asked for
     * @param owesUsage whether its session ended over it, and what it used is not told yet
     * @param tokensLeft null for no limit
     * @param served whether the host's user may work in its workspace
     */
    record LockedTurn(
            FencingToken fence,
            UUID host,
            String state,
            boolean stopRequested,
            int saidLength,
            Long lastSeq,
            boolean owesUsage,
            long toldInput,
            long toldOutput,
            String answer,
            long workedMillis,
            long secondsLeft,
            String status,
            boolean sessionEnded,
            long sessionEpoch,
            Long tokensLeft,
            boolean served) {
        boolean isRunning() {
            return WireEnum.is(TurnState.RUNNING, state);
        }

        /** Whether this host had it last, with this epoch. */
        boolean isOf(UUID asking, long named) {
            return asking.equals(host) && named == fence.epoch();
        }

        /** Whether that host may go on with it. */
        boolean isHeldBy(UUID asking, long named) {
            return isOf(asking, named) && named == sessionEpoch;
        }
    }

    /**
     * How a host has ended a turn, or left it.
     *
     * @param given see {@link HostResult#given}
     * @param lastSeq the number of the last events that were taken before; null for none
     * @param desired what the host was told then
     */
    record AcceptedResult(UUID host, String outcome, JsonObject given, Long lastSeq, HostTurns.Desired desired) {}

    /**
     * The result of a beat for one turn.
     *
     * @param known whether the host has the turn at that epoch
     * @param epoch the session's; null for no such turn
     */
    record BeatenTurn(
            UUID turn,
            boolean extended,
            boolean known,
            String state,
            boolean stopRequested,
            String status,
            Long epoch,
            long secondsLeft) {}

    Uni<HostView> register(
            Db db, UUID id, UUID user, String name, List<AgentType> agentTypes, List<String> models, int capacity) {
        return db.row(
                        HostSql.REGISTER,
                        id,
                        user,
                        name,
                        agentTypes == null
                                ? null
                                : agentTypes.stream().map(AgentType::toString).toArray(String[]::new),
                        models == null ? null : models.toArray(String[]::new),
                        capacity)
                .map(HostRepository::view);
    }

    /** Emits null if there is none. */
    Uni<HostView> find(Db db, UUID id) {
        return db.row(HostSql.GET, id).map(row -> row == null ? null : view(row));
    }

    /** Hosts of a user, or of everybody if that is null; those registered last first. */
    Uni<List<AgentHost>> list(UUID user, int limit) {
        Sort newestFirst = Sort.by("id").descending();
        return (user == null ? findAll(newestFirst) : find("userId", newestFirst, user))
                .range(0, limit - 1)
                .list();
    }

    Uni<Void> leave(UUID id) {
        return database.inTransaction(db -> db.rows(HostSql.LEAVE, id)
                .chain(() -> db.rows(HostSql.LET_GO, id))
                .replaceWithVoid());
    }

    Uni<Void> unread(UUID host, List<HostWork> work) {
        UUID[] turns = work.stream().map(HostWork::turnId).toArray(UUID[]::new);
        Long[] epochs = work.stream().map(HostWork::epoch).toArray(Long[]::new);
        return database.rows(HostClaimSql.UNREAD, host, turns, epochs).replaceWithVoid();
    }

    /** Emits how turns that nobody runs are to be closed; they are locked. */
    Uni<List<TurnClosing>> left(Db db, int limit) {
        return db.rows(HostClaimSql.LEFT, limit)
                .map(rows -> Rows.map(rows, row -> {
                    TurnUsage worked = new TurnUsage(0, 0, Math.max(0, row.getLong("worked_ms")));
                    return new TurnClosing(
                            fence(row, "turn_id", "epoch"), new Returned(), row.getString("said"), worked);
                }));
    }

    /** Emits how many. */
    Uni<Integer> forget(Duration silence) {
        return database.row(HostSql.FORGET, silence.toMillis())
                .map(row -> row.getLong("n").intValue());
    }

    /** Begins turns. */
    Uni<List<HostWork>> begin(WorkRequest asking, int limit, Duration lease) {
        return database.rows(HostClaimSql.BEGIN, asking.host(), asking.everywhere(), limit, lease.toMillis())
                .map(rows -> work(rows, lease));
    }

    /** Goes on with turns that nobody runs. */
    Uni<List<HostWork>> takeUp(WorkRequest asking, int limit, Duration lease, int attempts) {
        return database.rows(
                        HostClaimSql.TAKE_UP, asking.host(), asking.everywhere(), limit, lease.toMillis(), attempts)
                .map(rows -> work(rows, lease));
    }

    /** Gives it again what it was given and has not said anything of. */
    Uni<List<HostWork>> giveAgain(WorkRequest asking, int limit, Duration lease) {
        return database.rows(HostClaimSql.GIVE_AGAIN, asking.host(), asking.everywhere(), limit, lease.toMillis())
                .map(rows -> work(rows, lease));
    }

    /** The same with what the agents remember. */
    Uni<List<HostWork>> withHistory(List<HostWork> work, int entries) {
        UUID[] chats = work.stream().map(HostWork::chatId).toArray(UUID[]::new);
        return database.rows(HostSql.HISTORY, chats, entries).map(rows -> {
            Map<UUID, List<HostWork.WorkEntry>> known = new HashMap<>();
            rows.forEach(row -> known.computeIfAbsent(row.getUUID("chat_id"), _ -> new ArrayList<>())
                    .add(new HostWork.WorkEntry(
                            row.getString("kind"), row.getString("content"), row.getString("data"))));
            return work.stream()
                    .map(one -> one.with(known.getOrDefault(one.chatId(), List.of())))
                    .toList();
        });
    }

    /** Emits those that have work to ask for. */
    Uni<Set<UUID>> withWork(List<WorkRequest> asking, int attempts) {
        return database.rows(
                        HostClaimSql.WITH_WORK,
                        asking.stream().map(WorkRequest::host).toArray(UUID[]::new),
                        asking.stream().map(WorkRequest::everywhere).toArray(Boolean[]::new),
                        attempts)
                .map(rows -> new HashSet<>(Rows.map(rows, row -> row.getUUID(0))));
    }

    /**
     * In the order of the turns given.
     *
     * @param user the host's, here and below: null for one that serves all workspaces
     */
    Uni<List<BeatenTurn>> beat(Db db, UUID host, UUID user, UUID[] turns, Long[] epochs, Duration lease) {
        return db.rows(HostSql.BEAT, host, turns, epochs, lease.toMillis(), user)
                .map(rows -> Rows.map(
                        rows,
                        row -> new BeatenTurn(
                                row.getUUID("turn_id"),
                                row.getBoolean("extended"),
                                Boolean.TRUE.equals(row.getBoolean("known")),
                                row.getString("state"),
                                Boolean.TRUE.equals(row.getBoolean("stop_requested")),
                                row.getString("status"),
                                row.getLong("epoch"),
                                row.getLong("seconds_left") == null ? 0 : row.getLong("seconds_left"))));
    }

    /** Whether one of these turns is of a workspace that the user does not serve. */
    Uni<Boolean> anyForeign(Db db, UUID[] turns, UUID user) {
        return db.row(HostSql.ANY_FOREIGN, turns, user).map(row -> row.getBoolean(0));
    }

    /** Emits null if there is none. */
    Uni<LockedTurn> hold(Db db, UUID turn, UUID user, boolean withSaid) {
        return db.row(HostSql.TURN, turn, withSaid, user)
                .map(row -> row == null
                        ? null
                        : new LockedTurn(
                                fence(row, "id", "epoch"),
                                row.getUUID("host_id"),
                                row.getString("state"),
                                row.getBoolean("stop_requested"),
                                row.getInteger("said_length"),
                                row.getLong("last_seq"),
                                row.getBoolean("owes_usage"),
                                row.getLong("told_input"),
                                row.getLong("told_output"),
                                row.getString("said"),
                                row.getLong("worked_ms") == null ? 0 : row.getLong("worked_ms"),
                                row.getLong("seconds_left") == null ? 0 : row.getLong("seconds_left"),
                                row.getString("status"),
                                row.getBoolean("session_ended"),
                                row.getLong("session_epoch"),
                                row.getLong("tokens_left"),
                                row.getBoolean("served")));
    }

    Uni<Void> say(Db db, FencingToken fence, String text, int from) {
        return db.rows(HostSql.SAY, fence.session(), fence.turn(), text, from, from + text.length())
                .replaceWithVoid();
    }

    /** @param seq the request's number, or null */
    Uni<Void> note(Db db, FencingToken fence, Duration lease, Long seq, long inputTokens, long outputTokens) {
        return db.rows(HostSql.NOTED, fence.turn(), lease.toMillis(), seq, inputTokens, outputTokens)
                .replaceWithVoid();
    }

    Uni<Void> counted(Db db, FencingToken fence) {
        return db.rows(HostSql.COUNTED, fence.turn()).replaceWithVoid();
    }

    Uni<Void> accept(Db db, FencingToken fence, UUID host, HostResult result, HostTurns.Desired desired) {
        return db.rows(
                        HostSql.ACCEPT,
                        fence.turn(),
                        fence.epoch(),
                        host,
                        result.outcome().toString(),
                        result.given().encode(),
                        desired.toString())
                .replaceWithVoid();
    }

    /** Emits null if nothing was. */
    Uni<AcceptedResult> accepted(Db db, UUID turn, long epoch) {
        return db.row(HostSql.ACCEPTED, turn, epoch)
                .map(row -> row == null
                        ? null
                        : new AcceptedResult(
                                row.getUUID("host_id"),
                                row.getString("outcome"),
                                new JsonObject(row.getString("given")),
                                row.getLong("last_seq"),
                                HostTurns.Desired.read(row.getString("desired_status"))));
    }

    /** Emits how each of the turns that were seized is to be closed, in the same transaction. */
    Uni<List<TurnClosing>> seize(Db db, int attempts, int limit) {
        return db.rows(HostClaimSql.SEIZE, attempts, limit).map(rows -> Rows.map(rows, HostRepository::seized));
    }

    private static TurnClosing seized(Row row) {
        TurnUsage used = new TurnUsage(
                row.getLong("told_input"), row.getLong("told_output"), Math.max(0, row.getLong("worked_ms")));
        return new TurnClosing(fence(row, "turn_id", "next"), seizedAs(row), row.getString("said"), used);
    }

    private static TurnOutcome seizedAs(Row row) {
        String reason = row.getString("reason");
        return TurnOutcome.named(
                row.getString("ending"),
                reason != null
                        ? reason
                        : "The turn was begun " + row.getInteger("attempt")
                                + " times, and its host was lost each time");
    }

    private static FencingToken fence(Row row, String turn, String epoch) {
        return new FencingToken(
                row.getUUID(turn), row.getUUID("session_id"), row.getUUID("chat_id"), row.getLong(epoch));
    }

    private static List<HostWork> work(Iterable<Row> rows, Duration lease) {
        List<HostWork> work = new ArrayList<>();
        rows.forEach(row -> work.add(new HostWork(
                row.getUUID("turn_id"),
                row.getUUID("session_id"),
                row.getUUID("chat_id"),
                row.getUUID("workspace_id"),
                row.getLong("epoch"),
                row.getInteger("attempt"),
                row.getString("agent_type"),
                row.getString("mode"),
                row.getString("model"),
                row.getString("goal"),
                row.getUUID("message_id"),
                row.getString("said"),
                List.of(),
                lease.toSeconds())));
        return work;
    }

    private static HostView view(Row row) {
        String[] types = row.getArrayOfStrings("agent_types");
        String[] models = row.getArrayOfStrings("models");
        return new HostView(
                row.getUUID("id"),
                row.getUUID("user_id"),
                row.getString("name"),
                types == null ? null : List.of(types),
                models == null ? null : List.of(models),
                row.getInteger("capacity"),
                row.getInteger("turns"),
                Rows.instant(row, "registered_at"),
                Rows.instant(row, "seen_at"));
    }
}
