package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventView;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionRepository.Creation;
import ai.buildscale.agents.session.SessionRepository.Filter;
import ai.buildscale.agents.session.SessionRepository.Outcome;
import ai.buildscale.agents.session.SessionRepository.Transition;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Permission;
import ai.buildscale.agents.workspace.Role;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The registry of sessions. The database referees: a command is one statement that applies or does not, and only then
 * is it judged why, from the row as that statement found it under its lock.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class SessionService {
    private static final String ONE_LIVE_PER_CHAT = "agent_sessions_one_live_per_chat";
    private static final int PLACEMENTS = 3;
    private static final String[] CREATORS = Stream.of(Role.values())
            .filter(role -> role.includes(Role.MEMBER))
            .map(Role::toString)
            .toArray(String[]::new);

    private final Database database;
    private final SessionRepository sessions;
    private final CommandRepository orders;
    private final CommandWaiters waits;
    private final Notifier notifier;
    private final Access access;
    private final SessionPlacement host;
    private final SessionTasks tasks;
    private final SessionConfig config;
    private final Map<SessionCommand, Counter> applied = new EnumMap<>(SessionCommand.class);
    private final Counter created;
    private final Counter beats;

    SessionService(
            Database database,
            SessionRepository sessions,
            CommandRepository orders,
            CommandWaiters waits,
            Notifier notifier,
            Access access,
            SessionPlacement host,
            SessionTasks tasks,
            SessionConfig config,
            MeterRegistry metrics) {
        this.database = database;
        this.sessions = sessions;
        this.orders = orders;
        this.waits = waits;
        this.notifier = notifier;
        this.access = access;
        this.host = host;
        this.tasks = tasks;
        this.config = config;
        for (SessionCommand command : SessionCommand.values()) {
            applied.put(command, metrics.counter("sessions.commands", "command", command.toString()));
        }
        this.created = metrics.counter("sessions.created");
        this.beats = metrics.counter("sessions.heartbeats");
    }

    /**
     * Creates an idle session of the caller.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}, {@code QUOTA_EXCEEDED}; {@code CONFLICT} if the chat has a
     *     live session
     */
    public Uni<SessionView> create(Db db, Caller caller, UUID workspaceId, NewSession asked) {
        return create(db, caller, workspaceId, asked, null);
    }

    /** The same, in a chat of that name (null: none). */
    public Uni<SessionView> create(Db db, Caller caller, UUID workspaceId, NewSession asked, String chatName) {
        asked.check();
        return create(db, caller, workspaceId, asked.complete(), chatName, PLACEMENTS)
                .onFailure(e -> ONE_LIVE_PER_CHAT.equals(Database.violatedConstraint(e)))
                .transform(_ -> occupied())
                .chain(creation -> creation != null && creation.session() != null
                        ? Uni.createFrom().item(creation.session())
                        : refused(db, caller, workspaceId, creation))
                .invoke(() -> {
                    created.increment();
                    db.afterCommit(notifier::appended);
                });
    }

    /** A server may have stopped taking sessions since placement heard of it: then another one is asked for. */
    private Uni<Creation> create(
            Db db, Caller caller, UUID workspaceId, NewSession wanted, String chatName, int placements) {
        SessionPlacement.Server server = wanted.hosting() == Hosting.SERVER ? host.place(wanted.requires()) : null;
        return sessions.create(
                        db,
                        Ids.next(),
                        workspaceId,
                        caller.userId(),
                        caller.isAdmin() ? null : CREATORS,
                        wanted,
                        chatName,
                        server)
                .chain(creation -> {
                    if (creation == null || creation.takes()) {
                        return Uni.createFrom().item(creation);
                    }
                    host.refused(server);
                    return placements > 1
                            ? create(db, caller, workspaceId, wanted, chatName, placements - 1)
                            : Uni.createFrom().failure(Problem.unavailable());
                });
    }

    private static Uni<SessionView> refused(Db db, Caller caller, UUID workspaceId, Creation creation) {
        return Access.require(db, caller, workspaceId, Role.MEMBER).map(_ -> {
            if (creation == null || creation.occupied()) {
                throw creation == null ? Problem.notFound("The workspace") : occupied();
            }
            throw new Problem(
                            ProblemType.QUOTA_EXCEEDED,
                            "The workspace may have " + creation.quota()
                                    + " live sessions; end one, or raise its quota")
                    .with("max_live_sessions", creation.quota())
                    .retryAfter(5);
        });
    }

    private static Problem occupied() {
        return new Problem(ProblemType.CONFLICT, "This chat has a live session already")
                .field("chat_id", "has a live session already");
    }

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} unless the caller may read it */
    public Uni<SessionView> get(Caller caller, UUID id) {
        return get(database, caller, id);
    }

    /** The same within a transaction. */
    Uni<SessionView> get(Db db, Caller caller, UUID id) {
        return sessions.find(db, id, Access.limitedTo(caller)).map(seen -> Seen.judge(seen, Permission.READ));
    }

    /** The session, whoever asks; null if there is none. For rooms that have judged who may. */
    public Uni<SessionView> find(Db db, UUID id) {
        return sessions.find(db, id, null).map(seen -> seen == null ? null : seen.found());
    }

    /** A page of sessions, and how many the filter leaves in all. */
    public record Listed(List<SessionView> sessions, long total) {}

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} unless the caller is a member */
    Uni<Listed> list(Caller caller, UUID workspaceId, Filter filter, Page page) {
        return access.require(caller, workspaceId, Role.VIEWER)
                .chain(() -> Uni.combine()
                        .all()
                        .unis(
                                sessions.list(database, workspaceId, filter, page),
                                sessions.count(database, workspaceId, filter))
                        .with(Listed::new));
    }

    /**
     * The session's events after the position, in order.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    public Uni<List<EventView>> history(Caller caller, UUID id, long after, int limit) {
        return sessions.history(database, id, Access.limitedTo(caller), after, limit)
                .map(seen -> Seen.judge(seen, Permission.READ));
    }

    /**
     * A command's outcome.
     *
     * @param command what the owner of a hosted session was told; null where there was nothing to tell
     */
    public record Commanded(SessionView session, CommandView command) {}

    /**
     * Carries out a command, or finds that it was carried out before. The task that a chat's session is started or resumed
     * with is work for its agent.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code STALE_VERSION} if another version was expected;
     *     {@code MAILBOX_FULL}; {@code CONFLICT} with {@code current_status} and {@code allowed_transitions} if its state does
     *     not allow it, or there is nothing for a chat's session to start with
     */
    Uni<Commanded> command(Db db, Caller caller, UUID id, Transition transition) {
        UUID scope = Access.limitedTo(caller);
        boolean works = transition.task() != null && !transition.task().isBlank();
        Uni<Outcome> carriedOut = works
                ? db.atomically(transaction -> tasks.give(transaction, transition.taskOf(id, scope, caller.userId()))
                        .chain(() -> carryOut(transaction, caller, id, scope, transition)))
                : carryOut(db, caller, id, scope, transition);
        return carriedOut.map(outcome -> new Commanded(outcome.session(), answered(outcome, transition.command())));
    }

    private Uni<Outcome> carryOut(Db db, Caller caller, UUID id, UUID scope, Transition transition) {
        return sessions.transition(db, id, scope, Ids.next(), caller.userId(), transition)
                .invoke(outcome -> requirePermission(
                        outcome, transition.command() == SessionCommand.CANCEL ? Permission.END : Permission.CONTROL))
                .invoke(outcome -> {
                    if (outcome.applied()) {
                        applied.get(transition.command()).increment();
                    } else {
                        judge(outcome, transition);
                    }
                    if (outcome.applied() || transition.task() != null) {
                        db.afterCommit(() -> notifier.concerns(concerned(outcome)));
                    }
                });
    }

    private static Set<UUID> concerned(Outcome outcome) {
        return outcome.command() == null ? Set.of() : Set.of(outcome.command().serverId());
    }

    /** What the answer shows: the command just given, or for a repeat the one that it repeats. */
    private static CommandView answered(Outcome outcome, SessionCommand command) {
        CommandView given = outcome.command();
        return given == null || given.command().equals(command.toString()) ? given : null;
    }

    /** The session's commands to its owner, oldest first, the newest 200. */
    Uni<List<CommandView>> commands(Caller caller, UUID id) {
        return orders.ofSession(database, id, Access.limitedTo(caller)).map(seen -> Seen.judge(seen, Permission.READ));
    }

    /**
     * A command, once it is applied or that time is over.
     *
     * @throws Problem {@code NOT_FOUND}; {@code FORBIDDEN}, also to who may not see it any more by then
     */
    Uni<CommandView> commandOf(Caller caller, UUID id, UUID command, Duration wait) {
        return applied(Access.limitedTo(caller), id, command, wait)
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The command"));
    }

    /** The command, once it is applied or that time is over; null if there is none. For rooms that have judged who may. */
    public Uni<CommandView> applied(UUID id, UUID command, Duration wait) {
        return applied(null, id, command, wait);
    }

    private Uni<CommandView> applied(UUID caller, UUID id, UUID command, Duration wait) {
        return order(caller, id, command)
                .chain(found -> found == null || found.isOver() || wait.isZero()
                        ? Uni.createFrom().item(found)
                        : waits.until(command, wait).chain(() -> order(caller, id, command)));
    }

    private Uni<CommandView> order(UUID caller, UUID id, UUID command) {
        return orders.find(database, id, caller, command)
                .map(seen -> seen == null ? null : Seen.judge(seen, Permission.READ));
    }

    /**
     * The same, and the session as it is then.
     *
     * @throws Problem {@code FORBIDDEN} to who may not see it any more by then
     */
    public Uni<Commanded> settled(Caller caller, Commanded given, Duration wait) {
        if (given.command() == null || given.command().isOver() || wait.isZero()) {
            return Uni.createFrom().item(given);
        }
        UUID id = given.session().id();
        return applied(id, given.command().id(), wait)
                .chain(command -> sessions.find(database, id, Access.limitedTo(caller))
                        .map(seen -> seen == null ? given : new Commanded(Seen.judge(seen, Permission.READ), command)));
    }

    private static void judge(Outcome outcome, Transition transition) {
        boolean repeated = switch (transition.command()) {
            case PAUSE -> WireEnum.is(SessionStatus.PAUSED, outcome.oldStatus());
            case CANCEL -> WireEnum.is(SessionStatus.CANCELLED, outcome.oldStatus());
            // its turn waits for a host already
            case START ->
                WireEnum.is(SessionStatus.IDLE, outcome.oldStatus())
                        && outcome.hasWork()
                        && outcome.isAt(transition.expectedVersions());
            case RESUME ->
                transition.pauseId() != null
                        && !WireEnum.is(SessionStatus.PAUSED, outcome.oldStatus())
                        && transition.pauseId().equals(outcome.oldResumedPauseId());
            default -> false;
        };
        if (repeated) {
            return;
        }
        requireVersion(outcome, transition.expectedVersions());
        if (transition.command() == SessionCommand.START && transition.command().comesFrom(outcome.oldStatus())) {
            throw illegal(
                    outcome,
                    "A chat's session runs only with a turn: say something to its agent, or start it with a task");
        }
        if (transition.command() == SessionCommand.RESUME && WireEnum.is(SessionStatus.PAUSED, outcome.oldStatus())) {
            throw illegal(outcome, "The session is paused under another pause_id")
                    .with("pause_id", outcome.oldPauseId().toString());
        }
        throw illegal(outcome, "A session that is " + outcome.oldStatus() + " cannot " + transition.command());
    }

    private static Problem illegal(Outcome outcome, String detail) {
        return illegal(outcome.oldStatus(), detail);
    }

    /** From a state that a newer server wrote, nothing is allowed here. */
    static Problem illegal(String status, String detail) {
        SessionStatus known = WireEnum.known(SessionStatus.class, status);
        return new Problem(ProblemType.CONFLICT, detail)
                .with("current_status", status)
                .with("allowed_transitions", known == null ? List.of() : known.allowedTransitions());
    }

    private static void requireVersion(Outcome outcome, List<Long> expected) {
        if (!outcome.isAt(expected)) {
            throw new Problem(
                            ProblemType.STALE_VERSION,
                            "The session has changed; its version is " + outcome.oldVersion())
                    .with("version", outcome.oldVersion());
        }
    }

    /**
     * Changes what is not the state.
     *
     * @throws Problem as {@link #command}
     */
    Uni<SessionView> change(Caller caller, UUID id, List<Long> expectedVersions, SessionChange change) {
        return sessions.change(database, id, Access.limitedTo(caller), expectedVersions, change, null)
                .invoke(outcome -> requirePermission(outcome, Permission.CONTROL))
                .invoke(outcome -> {
                    if (outcome.applied()) {
                        notifier.appended();
                    } else {
                        requireVersion(outcome, expectedVersions);
                        throw illegal(
                                outcome, "A session that is " + outcome.oldStatus() + " does not change any more");
                    }
                })
                .map(Outcome::session);
    }

    /**
     * What an agent learns from its beat.
     *
     * @param leaseExtended false once the session has ended
     * @param ttlSeconds the silence it may now keep before it is stale
     * @param desiredStatus the state people want it in; the agent obeys
     */
    @RegisterForReflection
    public record Lease(
            boolean leaseExtended,
            long ttlSeconds,
            @Schema(implementation = SessionStatus.class) String desiredStatus,
            long epoch) {}

    /**
     * Keeps a session alive, with a note of what it does.
     *
     * @throws Problem {@code FENCED} once the session has another epoch; {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    Uni<Lease> beat(Db db, Caller caller, UUID id, long epoch, SessionChange note) {
        if (!note.isEmpty()) {
            return sessions.change(db, id, beatsFor(caller), null, note, epoch)
                    .invoke(outcome -> {
                        if (outcome != null && outcome.applied()) {
                            db.afterCommit(notifier::appended);
                        }
                    })
                    .map(outcome -> outcome == null
                            ? lease(new SessionRepository.Beat(id, epoch, null, null, null, false))
                            : lease(new SessionRepository.Beat(
                                    id,
                                    epoch,
                                    outcome.permission(),
                                    outcome.session().status(),
                                    outcome.oldEpoch(),
                                    !outcome.session().terminal())));
        }
        return sessions.beat(db, new UUID[] {id}, new Long[] {epoch}, beatsFor(caller))
                .map(answers -> lease(answers.getFirst()));
    }

    private Lease lease(SessionRepository.Beat beat) {
        Problem refusal = refusal(beat);
        if (refusal != null) {
            throw refusal;
        }
        beats.increment();
        return new Lease(beat.live(), config.staleThreshold().toSeconds(), beat.status(), beat.epoch());
    }

    /** A beat's own answer in a batch: a lease, or the code of what stands in its way. */
    @RegisterForReflection
    public record BeatAnswer(
            UUID id,
            boolean leaseExtended,
            long ttlSeconds,
            @Schema(implementation = SessionStatus.class) String desiredStatus,
            Long epoch,
            ProblemType code) {}

    /** The same for many sessions in one statement; a beat that is refused does not stop the others. */
    Uni<List<BeatAnswer>> beat(Db db, Caller caller, UUID[] ids, Long[] epochs) {
        long ttlSeconds = config.staleThreshold().toSeconds();
        return sessions.beat(db, ids, epochs, beatsFor(caller)).map(answers -> {
            List<BeatAnswer> all = new ArrayList<>(answers.size());
            for (SessionRepository.Beat beat : answers) {
                Problem refusal = refusal(beat);
                if (refusal == null) {
                    all.add(new BeatAnswer(beat.id(), beat.live(), ttlSeconds, beat.status(), beat.epoch(), null));
                } else {
                    Long epoch = refusal.type() == ProblemType.FENCED ? beat.epoch() : null;
                    all.add(new BeatAnswer(beat.id(), false, 0, null, epoch, refusal.type()));
                }
            }
            beats.increment((double)
                    all.stream().filter(answer -> answer.code() == null).count());
            return all;
        });
    }

    private static Problem refusal(SessionRepository.Beat beat) {
        if (beat.status() == null) {
            return Problem.notFound("The session");
        }
        if (beat.permission() != Permission.CONTROL) {
            return Problem.forbidden(
                    "Only the session's owner, with the role member, or an agent host may beat for it");
        }
        return beat.given() == beat.epoch()
                ? null
                : new Problem(ProblemType.FENCED, "Another owner holds the session, with epoch " + beat.epoch())
                        .with("epoch", beat.epoch());
    }

    /** Agent hosts are trusted with the beats of all sessions, by their group: they run agents for anybody. */
    private static UUID beatsFor(Caller caller) {
        return caller.isAgentHost() ? null : Access.limitedTo(caller);
    }

    /**
     * Judges the repeat of beats.
     *
     * @param ids the sessions that the caller was told of the first time
     * @throws Problem {@code FORBIDDEN} if the caller may not see one of them any more
     */
    Uni<Void> requireBeatsFor(Db db, Caller caller, UUID... ids) {
        return sessions.anyForeign(db, ids, beatsFor(caller))
                .invoke(foreign -> {
                    if (foreign) {
                        throw Problem.forbidden("A session of this request is not yours any more");
                    }
                })
                .replaceWithVoid();
    }

    private static void requirePermission(Outcome outcome, Permission needed) {
        Seen.judge(outcome == null ? null : new Seen<>(outcome.permission(), outcome.session()), needed);
    }

    /** The states a list shows: live ones unless others are named. */
    static Filter filter(
            Set<SessionStatus> statuses, boolean all, AgentType agentType, UUID userId, UUID serverId, String labels) {
        boolean live = !all && statuses.stream().noneMatch(SessionStatus::isTerminal);
        List<String> named = all || statuses.isEmpty()
                ? null
                : statuses.stream().map(SessionStatus::toString).toList();
        return new Filter(live, named, agentType, userId, serverId, labels);
    }
}
