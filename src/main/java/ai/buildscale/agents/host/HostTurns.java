package ai.buildscale.agents.host;

import ai.buildscale.agents.host.HostRepository.BeatenTurn;
import ai.buildscale.agents.host.HostRepository.LockedTurn;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionStatus;
import ai.buildscale.agents.turn.FencingToken;
import ai.buildscale.agents.turn.TextLimits;
import ai.buildscale.agents.turn.TurnConfig;
import ai.buildscale.agents.turn.TurnJournal;
import ai.buildscale.agents.turn.TurnOutcome.Spent;
import ai.buildscale.agents.turn.TurnState;
import ai.buildscale.agents.turn.TurnStep;
import ai.buildscale.agents.workspace.Access;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * Takes the heartbeats and events that hosts report of their turns. Each request is one transaction under the locks of
 * the session and the turn, fenced by the epoch; each answer tells the host what people want it to do.
 */
@ApplicationScoped
class HostTurns {
    private final HostService hostService;
    private final HostRepository hosts;
    private final TurnJournal journal;
    private final HostEndings endings;
    private final Notifier notifier;
    private final HostConfig config;
    private final TurnConfig turns;

    HostTurns(
            HostService hostService,
            HostRepository hosts,
            TurnJournal journal,
            HostEndings endings,
            Notifier notifier,
            HostConfig config,
            TurnConfig turns) {
        this.hostService = hostService;
        this.hosts = hosts;
        this.journal = journal;
        this.endings = endings;
        this.notifier = notifier;
        this.config = config;
        this.turns = turns;
    }

    /** The state that people want for a turn; {@code idle} stops the turn and keeps the agent. */
    @Schema(
            name = "DesiredStatus",
            enumeration = {"running", "paused", "cancelled", "idle"})
    public enum Desired {
        RUNNING,
        PAUSED,
        CANCELLED,
        IDLE;

        @Override
        public String toString() {
            return WireEnum.name(this);
        }

        /** The state of that name; one that only a newer server knows means that the turn is over. */
        static Desired read(String name) {
            Desired known = WireEnum.known(Desired.class, name);
            return known == null ? IDLE : known;
        }

        /** In a state that only a newer server knows, the turn is kept, and not gone on with. */
        static Desired of(String status, boolean stopRequested) {
            return switch (WireEnum.known(SessionStatus.class, status)) {
                case null -> PAUSED;
                case CANCELLED -> CANCELLED;
                case IDLE, COMPLETED, ERROR -> IDLE;
                case PAUSED -> stopRequested ? IDLE : PAUSED;
                case RUNNING -> stopRequested ? IDLE : RUNNING;
            };
        }
    }

    /**
     * The answer to a host's report on a turn.
     *
     * @param leaseExtended false once the turn must end; the host uses the rest of the lease to report the end
     * @param ttlSeconds seconds until the lease ends
     * @param epoch of the session; with another one the host is fenced
     */
    @Schema(name = "TurnLease")
    @RegisterForReflection
    public record TurnReportAnswer(boolean leaseExtended, long ttlSeconds, Desired desiredStatus, long epoch) {}

    /** The answer for one turn of many; without an epoch for a turn that is not known. */
    @Schema(name = "TurnBeatAnswer")
    @RegisterForReflection
    public record TurnBeatAnswer(
            UUID turnId,
            boolean leaseExtended,
            long ttlSeconds,
            Desired desiredStatus,
            @Schema(nullable = true) Long epoch) {}

    /** The answer to a host's beat. */
    record HostBeat(HostView host, List<TurnBeatAnswer> turns) {}

    /**
     * Checks, before a stored answer is repeated, that the caller may still see it.
     *
     * @throws Problem {@code FORBIDDEN} if the caller may not act for the host, or on one of the turns, any more
     */
    Uni<HostView> requireStillAllowed(Db db, Caller caller, UUID host, UUID... turns) {
        return hosts.anyForeign(db, turns, Access.limitedTo(caller))
                .invoke(foreign -> {
                    if (foreign) {
                        throw notServed();
                    }
                })
                .chain(() -> hostService.acting(db, caller, host));
    }

    static Problem notServed() {
        return Problem.forbidden("You are not a member of the turn's workspace any more, or only view it");
    }

    /**
     * Renews the leases of the host's turns. A turn that is not the host's does not stop the others.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    Uni<HostBeat> beat(Db db, Caller caller, UUID host, UUID[] ids, Long[] epochs) {
        return hostService
                .acting(db, caller, host)
                .chain(() -> hosts.beat(db, host, Access.limitedTo(caller), ids, epochs, config.turnLease()))
                .chain(beaten -> hostService
                        .acting(db, caller, host)
                        .map(now -> new HostBeat(
                                now, beaten.stream().map(this::lease).toList())));
    }

    private TurnBeatAnswer lease(BeatenTurn beaten) {
        boolean runs = beaten.known() && WireEnum.is(TurnState.RUNNING, beaten.state());
        return new TurnBeatAnswer(
                beaten.turn(),
                beaten.extended(),
                beaten.extended() ? config.turnLease().toSeconds() : runs ? beaten.secondsLeft() : 0,
                runs || WireEnum.is(SessionStatus.CANCELLED, beaten.status())
                        ? Desired.of(beaten.status(), beaten.stopRequested())
                        : Desired.IDLE,
                beaten.epoch());
    }

    /**
     * Writes down what a turn's agent did, in order, and shows what it said. Once people want it to end nothing more is taken:
     * the answer tells what they want.
     *
     * @param seq the request's number in the turn; a repeat of the last one is a success without effect, also once the host
     *     has ended the turn or left it. Null for none
     * @throws Problem {@code NOT_FOUND}; {@code FORBIDDEN}, also once the host's user does not serve the turn's workspace
     *     any more; {@code FENCED} if the host has lost the turn; {@code CONFLICT} if
     *     the turn does not run; {@code VALIDATION_ERROR} if the answer becomes too long
     */
    Uni<TurnReportAnswer> report(
            Db db, Caller caller, UUID host, UUID turn, long epoch, Long seq, List<HostEvent> events) {
        for (int i = 0; i < events.size(); i++) {
            events.get(i).check("events[" + i + "]");
        }
        return hostService
                .acting(db, caller, host)
                .chain(() -> db.atomically(transaction -> endings.hold(transaction, caller, host, turn, false)
                        .chain(held -> held.isHeldBy(host, epoch) && held.isRunning()
                                ? record(transaction, held, seq, events)
                                : answerLateOrRepeated(transaction, held, host, epoch, seq))))
                .invoke(() -> db.afterCommit(notifier::appended));
    }

    /** Answers a report that comes too late, or once more. */
    private Uni<TurnReportAnswer> answerLateOrRepeated(Db db, LockedTurn held, UUID host, long epoch, Long seq) {
        return hosts.accepted(db, held.fence().turn(), epoch).map(accepted -> {
            boolean own = accepted != null && accepted.host().equals(host);
            HostEndings.requireServed(held, own);
            Long last = own ? accepted.lastSeq() : held.isOf(host, epoch) ? held.lastSeq() : null;
            if (seq != null && last != null && seq <= last) {
                return new TurnReportAnswer(
                        false, 0, own ? accepted.desired() : HostEndings.afterwards(held.status()), epoch);
            }
            HostEndings.requireHolder(held, host, epoch);
            if (!own && held.sessionEnded()) {
                return new TurnReportAnswer(false, 0, HostEndings.afterwards(held.status()), epoch);
            }
            throw HostEndings.over(held);
        });
    }

    private Uni<TurnReportAnswer> record(Db db, LockedTurn held, Long seq, List<HostEvent> events) {
        Desired desired = Desired.of(held.status(), held.stopRequested());
        if (desired != Desired.RUNNING) {
            return Uni.createFrom()
                    .item(new TurnReportAnswer(
                            false, held.secondsLeft(), desired, held.fence().epoch()));
        }
        TurnReportAnswer lease = new TurnReportAnswer(
                true, config.turnLease().toSeconds(), desired, held.fence().epoch());
        if (seq != null && held.lastSeq() != null && seq <= held.lastSeq()) {
            return hosts.note(db, held.fence(), config.turnLease(), null, 0, 0).replaceWith(lease);
        }
        long input = sum(events, HostEvent::inputTokens);
        long output = sum(events, HostEvent::outputTokens);
        Uni<Void> written = Uni.createFrom().voidItem();
        for (Supplier<Uni<?>> piece : pieces(db, held, events)) {
            written = written.chain(() -> piece.get().replaceWithVoid());
        }
        return written.chain(() -> hosts.note(db, held.fence(), config.turnLease(), seq, input, output))
                .chain(() -> held.tokensLeft() == null || input + output < held.tokensLeft()
                        ? Uni.createFrom().item(lease)
                        : spent(db, held.fence()));
    }

    /** Pauses the session because its tokens are used up. */
    private Uni<TurnReportAnswer> spent(Db db, FencingToken fence) {
        return hosts.hold(db, fence.turn(), null, true)
                .chain(held -> endings.close(db, held, new Spent(Spent.TOKENS)))
                .replaceWith(new TurnReportAnswer(false, 0, Desired.PAUSED, fence.epoch()));
    }

    private static long sum(List<HostEvent> events, ToLongFunction<HostEvent> tokens) {
        return events.stream()
                .filter(event -> event.event() == HostEvent.EventKind.USAGE)
                .mapToLong(tokens)
                .sum();
    }

    /** The statements that write the events down, in order: chunks that follow each other as one. */
    private List<Supplier<Uni<?>>> pieces(Db db, LockedTurn held, List<HostEvent> events) {
        List<Supplier<Uni<?>>> pieces = new ArrayList<>();
        StringBuilder pending = new StringBuilder();
        int length = held.saidLength();
        for (int i = 0; i < events.size(); i++) {
            HostEvent event = events.get(i);
            if (event.event() == HostEvent.EventKind.CHUNK) {
                pending.append(event.text());
                if (length + pending.length() > turns.maxAnswer()) {
                    throw Problem.invalid(
                            "events[" + i + "].text",
                            "makes the answer longer than " + turns.maxAnswer() + " characters");
                }
            } else if (event.event() != HostEvent.EventKind.USAGE) {
                length = addChunks(db, held.fence(), pending, length, pieces);
                TurnStep step = event.step(held.fence(), length);
                pieces.add(() -> journal.step(db, step));
            }
        }
        addChunks(db, held.fence(), pending, length, pieces);
        return pieces;
    }

    /** Adds the pending text as chunks; returns the new length of the answer. */
    private int addChunks(Db db, FencingToken fence, StringBuilder pending, int length, List<Supplier<Uni<?>>> pieces) {
        int from = 0;
        while (from < pending.length()) {
            int end = TextLimits.end(pending, from);
            String text = pending.substring(from, end);
            int place = length + from;
            pieces.add(() -> hosts.say(db, fence, text, place));
            from = end;
        }
        pending.setLength(0);
        return length + from;
    }
}
