package ai.buildscale.agents.host;

import ai.buildscale.agents.host.HostRepository.LockedTurn;
import ai.buildscale.agents.host.HostTurns.Desired;
import ai.buildscale.agents.host.HostTurns.TurnReportAnswer;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionStatus;
import ai.buildscale.agents.turn.StopReason;
import ai.buildscale.agents.turn.TurnClosing;
import ai.buildscale.agents.turn.TurnConfig;
import ai.buildscale.agents.turn.TurnJournal;
import ai.buildscale.agents.turn.TurnOutcome;
import ai.buildscale.agents.turn.TurnOutcome.Done;
import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import ai.buildscale.agents.turn.TurnOutcome.Waiting;
import ai.buildscale.agents.turn.TurnState;
import ai.buildscale.agents.turn.TurnUsage;
import ai.buildscale.agents.workspace.Access;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;

/**
 * Ends or releases turns on behalf of hosts elsewhere. The accepted result is stored with the host's epoch: repeating it
 * succeeds again, also after the session has ended.
 */
@ApplicationScoped
class HostEndings {
    private final HostService hostService;
    private final HostRepository hosts;
    private final TurnJournal journal;
    private final Notifier notifier;
    private final TurnConfig config;

    HostEndings(
            HostService hostService, HostRepository hosts, TurnJournal journal, Notifier notifier, TurnConfig config) {
        this.hostService = hostService;
        this.hosts = hosts;
        this.journal = journal;
        this.notifier = notifier;
        this.config = config;
    }

    /**
     * Ends a turn, or lets go of it. The same again is a success; so is what meets the end of the session: it tells what the
     * turn has used.
     *
     * @throws Problem as {@link HostTurns#report}; {@code CONFLICT} if it has ended in another way; {@code VALIDATION_ERROR}
     */
    Uni<TurnReportAnswer> end(Db db, Caller caller, UUID host, UUID turn, HostResult result) {
        result.check();
        if (result.message() != null && result.message().length() > config.maxAnswer()) {
            throw Problem.invalid("message", "must have at most " + config.maxAnswer() + " characters");
        }
        return hostService
                .acting(db, caller, host)
                .chain(() -> db.atomically(transaction -> hold(transaction, caller, host, turn, true)
                        .chain(held -> held.isHeldBy(host, result.epoch()) && held.isRunning()
                                ? ended(transaction, held, host, result)
                                : repeated(transaction, held, host, result))))
                .invoke(() -> db.afterCommit(notifier::appended));
    }

    private Uni<TurnReportAnswer> ended(Db db, LockedTurn held, UUID host, HostResult result) {
        TurnClosing closing = new TurnClosing(
                held.fence(),
                outcome(held, result),
                result.message() == null ? held.answer() : result.message(),
                used(held, result));
        return close(db, held, closing).chain(() -> accepted(db, held, host, result));
    }

    private static TurnOutcome outcome(LockedTurn held, HostResult result) {
        return switch (result.outcome()) {
            case DONE -> new Done();
            case FAILED -> new Failed(result.error());
            case QUESTION -> new Waiting(Ids.next(), result.question(), result.schemaJson());
            case STOPPED -> new Stopped(stopReason(held));
            case PAUSED -> left(held);
        };
    }

    /** What a host leaves while nobody has paused it waits for the next one; what people have stopped does not. */
    private static TurnOutcome left(LockedTurn held) {
        return switch (WireEnum.known(SessionStatus.class, held.status())) {
            case RUNNING -> held.stopRequested() ? new Stopped(stopReason(held)) : new Returned();
            case IDLE, COMPLETED, CANCELLED, ERROR -> new Stopped(stopReason(held));
            // in a state that only a newer server knows, it is kept
            case PAUSED -> new Paused(StopReason.PAUSED);
            case null -> new Paused(StopReason.PAUSED);
        };
    }

    private static String stopReason(LockedTurn held) {
        if (WireEnum.is(SessionStatus.CANCELLED, held.status())) {
            return StopReason.CANCELLED;
        }
        boolean yielded = WireEnum.is(SessionStatus.IDLE, held.status()) && !held.stopRequested();
        return yielded ? StopReason.YIELDED : StopReason.STOPPED;
    }

    private static TurnUsage used(LockedTurn held, HostResult result) {
        return new TurnUsage(
                held.toldInput() + result.inputTokens(),
                held.toldOutput() + result.outputTokens(),
                held.workedMillis());
    }

    private Uni<TurnReportAnswer> accepted(Db db, LockedTurn held, UUID host, HostResult result) {
        Desired desired = afterwards(held.status());
        return hosts.accept(db, held.fence(), host, result, desired)
                .replaceWith(
                        new TurnReportAnswer(false, 0, desired, held.fence().epoch()));
    }

    /** What a host is told of a turn that it does not run any more. */
    static Desired afterwards(String status) {
        return WireEnum.is(SessionStatus.RUNNING, status) ? Desired.IDLE : Desired.of(status, false);
    }

    /** The turn does not run, or not by this host: it may have said so before. */
    private Uni<TurnReportAnswer> repeated(Db db, LockedTurn held, UUID host, HostResult result) {
        return hosts.accepted(db, held.fence().turn(), result.epoch()).chain(accepted -> {
            boolean own = accepted != null && accepted.host().equals(host);
            requireServed(held, own);
            if (own && result.repeats(accepted.outcome(), accepted.given())) {
                return Uni.createFrom().item(new TurnReportAnswer(false, 0, accepted.desired(), result.epoch()));
            }
            if (!own && held.isOf(host, result.epoch()) && isSo(held, result.outcome())) {
                return tookAlong(db, held, host, result);
            }
            requireHolder(held, host, result.epoch());
            throw over(held);
        });
    }

    /**
     * Whether the turn is in the state that the host asks for, without having said so itself; or its session ended over it, and
     * all that counts of any outcome is what it has used.
     */
    private static boolean isSo(LockedTurn held, HostResult.ResultOutcome outcome) {
        return held.owesUsage()
                || WireEnum.is(outcome.state(), held.state())
                || (outcome == HostResult.ResultOutcome.PAUSED
                        && (WireEnum.is(TurnState.PARKED, held.state()) || held.sessionEnded()));
    }

    /** A turn that ended with its session: what is left to say is what it has used. */
    private Uni<TurnReportAnswer> tookAlong(Db db, LockedTurn held, UUID host, HostResult result) {
        TurnClosing closing = new TurnClosing(held.fence(), new Stopped(null), held.answer(), used(held, result));
        Uni<Void> booked = held.owesUsage()
                ? journal.bookLate(db, closing).chain(() -> hosts.counted(db, held.fence()))
                : Uni.createFrom().voidItem();
        return booked.chain(() -> accepted(db, held, host, result));
    }

    /** Closes a turn that is this host's to close, with all that its events have told. */
    Uni<Void> close(Db db, LockedTurn held, TurnOutcome outcome) {
        TurnUsage used = new TurnUsage(held.toldInput(), held.toldOutput(), held.workedMillis());
        return close(db, held, new TurnClosing(held.fence(), outcome, held.answer(), used));
    }

    private Uni<Void> close(Db db, LockedTurn held, TurnClosing closing) {
        return journal.close(db, closing).chain(() -> hosts.counted(db, held.fence()));
    }

    /** The turn under its lock; if it is the host's, the caller serves its workspace. */
    Uni<LockedTurn> hold(Db db, Caller caller, UUID host, UUID turn, boolean withSaid) {
        return hosts.hold(db, turn, Access.limitedTo(caller), withSaid)
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The turn"))
                .invoke(held -> requireServed(held, host.equals(held.host())));
    }

    /** A turn that never was the host's is not told apart from one that it has lost: it is fenced. */
    static void requireServed(LockedTurn held, boolean own) {
        if (own && !held.served()) {
            throw HostTurns.notServed();
        }
    }

    static void requireHolder(LockedTurn held, UUID host, long epoch) {
        if (!held.isHeldBy(host, epoch)) {
            throw new Problem(
                            ProblemType.FENCED,
                            held.host() == null
                                    ? "The turn waits for a host, the epoch is " + held.sessionEpoch()
                                    : "Another owner holds the turn, with epoch " + held.sessionEpoch())
                    .with("epoch", held.sessionEpoch());
        }
    }

    static Problem over(LockedTurn held) {
        return new Problem(ProblemType.CONFLICT, "The turn is " + held.state()).with("state", held.state());
    }
}
