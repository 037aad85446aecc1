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
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Permission;
import ai.buildscale.agents.workspace.Role;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The registry of sessions: creates, reads, lists and changes them. The database referees: a change is one statement that
 * applies or does not, and only then is it judged why, from the row as that statement found it under its lock.
 */
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
    private final Notifier notifier;
    private final Access access;
    private final SessionPlacement placement;
    private final SessionLifecycle lifecycle;

    SessionService(
            Database database,
            SessionRepository sessions,
            Notifier notifier,
            Access access,
            SessionPlacement placement,
            SessionLifecycle lifecycle) {
        this.database = database;
        this.sessions = sessions;
        this.notifier = notifier;
        this.access = access;
        this.placement = placement;
        this.lifecycle = lifecycle;
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
                .invoke(session -> {
                    lifecycle.created(db, session);
                    db.afterCommit(notifier::appended);
                });
    }

    /** A server may have stopped taking sessions since placement heard of it: then another one is asked for. */
    private Uni<Creation> create(
            Db db, Caller caller, UUID workspaceId, NewSession wanted, String chatName, int placements) {
        SessionPlacement.Server server = wanted.hosting() == Hosting.SERVER ? placement.place(wanted.requires()) : null;
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
                    placement.refused(server);
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

    /** The session that lives in the chat or did last, whoever asks; null if there is none. */
    public Uni<SessionView> findOfChat(Db db, UUID workspace, UUID chat) {
        return sessions.findOfChat(db, workspace, chat);
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

    /** From a state that a newer server wrote, nothing is allowed here. */
    static Problem illegal(String status, String detail) {
        SessionStatus known = WireEnum.known(SessionStatus.class, status);
        return new Problem(ProblemType.CONFLICT, detail)
                .with("current_status", status)
                .with("allowed_transitions", known == null ? List.of() : known.allowedTransitions());
    }

    static void requireVersion(Outcome outcome, List<Long> expected) {
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
     * @throws Problem as {@link SessionCommands#command}
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
                                outcome.oldStatus(),
                                "A session that is " + outcome.oldStatus() + " does not change any more");
                    }
                })
                .map(Outcome::session);
    }

    static void requirePermission(Outcome outcome, Permission needed) {
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
