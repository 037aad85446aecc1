package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Entities;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionRepository.Outcome;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Permission;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * Carries out the commands of callers to sessions, and tells how far their owners are. The database referees: a command
 * is one statement that applies or does not, and only then is it judged why, from the row as that statement found it
 * under its lock.
 */
@ApplicationScoped
public class SessionCommands {
    private final Database database;
    private final Entities entities;
    private final SessionRepository sessions;
    private final CommandRepository commands;
    private final CommandWaiters waiters;
    private final Notifier notifier;
    private final SessionTasks tasks;
    private final SessionLifecycle lifecycle;

    SessionCommands(
            Database database,
            Entities entities,
            SessionRepository sessions,
            CommandRepository commands,
            CommandWaiters waiters,
            Notifier notifier,
            SessionTasks tasks,
            SessionLifecycle lifecycle) {
        this.database = database;
        this.entities = entities;
        this.sessions = sessions;
        this.commands = commands;
        this.waiters = waiters;
        this.notifier = notifier;
        this.tasks = tasks;
        this.lifecycle = lifecycle;
    }

    /**
     * Carries out a command, or finds that it was carried out before. The task that a chat's session is started or resumed
     * with is work for its agent.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code STALE_VERSION} if another version was expected;
     *     {@code MAILBOX_FULL}; {@code CONFLICT} with {@code current_status} and {@code allowed_transitions} if its state does
     *     not allow it, or there is nothing for a chat's session to start with
     */
    Uni<CommandOutcome> command(Db db, Caller caller, UUID id, Transition transition) {
        UUID scope = Access.limitedTo(caller);
        boolean works = transition.task() != null && !transition.task().isBlank();
        Uni<Outcome> carriedOut = works
                ? db.atomically(transaction -> tasks.give(transaction, transition.taskOf(id, scope, caller.userId()))
                        .chain(() -> carryOut(transaction, caller, id, scope, transition)))
                : carryOut(db, caller, id, scope, transition);
        return carriedOut.map(
                outcome -> new CommandOutcome(outcome.session(), answered(outcome, transition.command())));
    }

    private Uni<Outcome> carryOut(Db db, Caller caller, UUID id, UUID scope, Transition transition) {
        return sessions.transition(db, id, scope, Ids.next(), caller.userId(), transition)
                .invoke(outcome -> SessionService.requirePermission(
                        outcome, transition.command() == SessionCommand.CANCEL ? Permission.END : Permission.CONTROL))
                .invoke(outcome -> {
                    if (outcome.applied()) {
                        lifecycle.applied(db, transition.command(), transition.reason(), outcome);
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
        return given == null || WireEnum.is(command, given.command()) ? given : null;
    }

    /** The session's commands to its owner, oldest first, the newest 200. */
    Uni<List<CommandView>> commands(Caller caller, UUID id) {
        // the permission is read last, so that nothing is seen that came after the caller was removed
        return entities.read(() -> commands.ofSession(id))
                .call(() -> sessions.find(database, id, Access.limitedTo(caller))
                        .invoke(seen -> Seen.judge(seen, Permission.READ)))
                .map(found -> found.reversed().stream().map(CommandRecord::view).toList());
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
        return find(caller, id, command)
                .chain(found -> found == null || found.isOver() || wait.isZero()
                        ? Uni.createFrom().item(found)
                        : waiters.until(command, wait).chain(() -> find(caller, id, command)));
    }

    private Uni<CommandView> find(UUID caller, UUID id, UUID command) {
        return commands.find(database, id, caller, command)
                .map(seen -> seen == null ? null : Seen.judge(seen, Permission.READ));
    }

    /**
     * The same, and the session as it is then.
     *
     * @throws Problem {@code FORBIDDEN} to who may not see it any more by then
     */
    public Uni<CommandOutcome> settled(Caller caller, CommandOutcome given, Duration wait) {
        if (given.command() == null || given.command().isOver() || wait.isZero()) {
            return Uni.createFrom().item(given);
        }
        UUID id = given.session().id();
        return applied(id, given.command().id(), wait)
                .chain(command -> sessions.find(database, id, Access.limitedTo(caller))
                        .map(seen ->
                                seen == null ? given : new CommandOutcome(Seen.judge(seen, Permission.READ), command)));
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
        SessionService.requireVersion(outcome, transition.expectedVersions());
        if (transition.command() == SessionCommand.START && transition.command().comesFrom(outcome.oldStatus())) {
            throw SessionService.illegal(
                    outcome.oldStatus(),
                    "A chat's session runs only with a turn: say something to its agent, or start it with a task");
        }
        if (transition.command() == SessionCommand.RESUME && WireEnum.is(SessionStatus.PAUSED, outcome.oldStatus())) {
            throw SessionService.illegal(outcome.oldStatus(), "The session is paused under another pause_id")
                    .with("pause_id", outcome.oldPauseId().toString());
        }
        throw SessionService.illegal(
                outcome.oldStatus(), "A session that is " + outcome.oldStatus() + " cannot " + transition.command());
    }
}
