package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.HostRepository.Beaten;
import ai.buildscale.agents.chat.HostRepository.Held;
import ai.buildscale.agents.chat.TurnRepository.Ending;
import ai.buildscale.agents.chat.TurnRepository.Fence;
import ai.buildscale.agents.chat.TurnRepository.Used;
import ai.buildscale.agents.event.WakeUps;
import ai.buildscale.agents.platform.Caller;
import ai.buildscale.agents.platform.Db;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.Problem;
import ai.buildscale.agents.platform.ProblemType;
import ai.buildscale.agents.platform.Wire;
import ai.buildscale.agents.session.SessionStatus;
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
 * What hosts elsewhere say of their turns. Each request is one transaction under the locks of the session and the turn, fenced
 * by the epoch; each answer tells the host what people want it to do.
 */
@ApplicationScoped
class HostTurns {
    private final HostService registry;
    private final HostRepository hosts;
    private final TurnRepository turns;
    private final WakeUps wakeUps;
    private final HostConfig config;
    private final ChatConfig chats;
    private final TurnOutcomes outcomes;

    HostTurns(
            HostService registry,
            HostRepository hosts,
            TurnRepository turns,
            WakeUps wakeUps,
            HostConfig config,
            ChatConfig chats,
            TurnOutcomes outcomes) {
        this.registry = registry;
        this.hosts = hosts;
        this.turns = turns;
        this.wakeUps = wakeUps;
        this.config = config;
        this.chats = chats;
        this.outcomes = outcomes;
    }

    /** What people want of a turn; {@code idle} is to stop it and keep the agent. */
    @Schema(enumeration = {"running", "paused", "cancelled", "idle"})
    public enum Desired {
        RUNNING,
        PAUSED,
        CANCELLED,
        IDLE;

        @Override
        public String toString() {
            return Wire.name(this);
        }

        /** In a state that only a newer server knows, the turn is kept, and not gone on with. */
        static Desired of(String status, boolean stopRequested) {
            return switch (Wire.known(SessionStatus.class, status)) {
                case null -> PAUSED;
                case CANCELLED -> CANCELLED;
                case IDLE, COMPLETED, ERROR -> IDLE;
                case PAUSED -> stopRequested ? IDLE : PAUSED;
                case RUNNING -> stopRequested ? IDLE : RUNNING;
            };
        }
    }

    /**
     * What a host learns of a turn.
     *
     * @param leaseExtended false once it is to end: what is left of the lease is for saying so
     * @param ttlSeconds the silence that it may now keep
     * @param epoch of the session; with another one the host is fenced
     */
    @Schema(name = "TurnLease")
    @RegisterForReflection
    public record Lease(boolean leaseExtended, long ttlSeconds, Desired desiredStatus, long epoch) {}

    /** The same for one of many; no epoch for a turn that is not known. */
    @Schema(name = "TurnBeatAnswer")
    @RegisterForReflection
    public record TurnLease(
            UUID turnId,
            boolean leaseExtended,
            long ttlSeconds,
            Desired desiredStatus,
            @Schema(nullable = true) Long epoch) {}

    /** What a host learns from its beat. */
    record Beat(HostView host, List<TurnLease> turns) {}

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; a turn that is not the host's does not stop the others */
    Uni<Beat> beat(Db db, Caller caller, UUID host, UUID[] ids, Long[] epochs) {
        return registry.acting(db, caller, host)
                .chain(() -> hosts.beat(db, host, ids, epochs, config.turnLease()))
                .chain(beaten -> registry.acting(db, caller, host)
                        .map(now ->
                                new Beat(now, beaten.stream().map(this::lease).toList())));
    }

    private TurnLease lease(Beaten beaten) {
        boolean runs = beaten.known() && "running".equals(beaten.state());
        return new TurnLease(
                beaten.turn(),
                beaten.extended(),
                beaten.extended() ? config.turnLease().toSeconds() : runs ? beaten.secondsLeft() : 0,
                runs || Wire.is(SessionStatus.CANCELLED, beaten.status())
                        ? Desired.of(beaten.status(), beaten.stopRequested())
                        : Desired.IDLE,
                beaten.epoch());
    }

    /**
     * Writes down what a turn's agent did, in order, and shows what it said. Once people want it to end nothing more is taken:
     * the answer tells what they want.
     *
     * @param seq the request's number in the turn; a repeat of the last one is a success without effect. Null for none
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code FENCED} if the host has lost the turn; {@code CONFLICT} if
     *     the turn does not run; {@code VALIDATION_ERROR} if the answer becomes too long
     */
    Uni<Lease> tell(Db db, Caller caller, UUID host, UUID turn, long epoch, Long seq, List<HostEvent> events) {
        for (int i = 0; i < events.size(); i++) {
            events.get(i).check("events[" + i + "]");
        }
        return registry.acting(db, caller, host)
                .chain(() -> db.atomically(transaction -> held(transaction, host, turn, epoch, false)
                        .chain(held -> taken(transaction, held, seq, events))))
                .invoke(() -> db.afterCommit(wakeUps::appended));
    }

    private Uni<Lease> taken(Db db, Held held, Long seq, List<HostEvent> events) {
        Desired desired = Desired.of(held.status(), held.stopRequested());
        if (!held.state().equals("running")) {
            throw new Problem(ProblemType.CONFLICT, "The turn is " + held.state()).with("state", held.state());
        }
        if (desired != Desired.RUNNING) {
            return Uni.createFrom()
                    .item(new Lease(
                            false, held.secondsLeft(), desired, held.fence().epoch()));
        }
        Lease lease = new Lease(
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

    /** The same as for agents that live here: the session is paused until its owner raises its budget. */
    private Uni<Lease> spent(Db db, Fence fence) {
        return hosts.hold(db, fence.turn(), true)
                .chain(held ->
                        close(db, held, "spent", held.said(), "budget: its tokens are used up", null, null, 0, 0))
                .replaceWith(new Lease(false, 0, Desired.PAUSED, fence.epoch()));
    }

    private static long sum(List<HostEvent> events, ToLongFunction<HostEvent> tokens) {
        return events.stream()
                .filter(event -> event.event() == HostEvent.Kind.USAGE)
                .mapToLong(tokens)
                .sum();
    }

    /** The statements that write the events down, in order: chunks that follow each other as one. */
    private List<Supplier<Uni<?>>> pieces(Db db, Held held, List<HostEvent> events) {
        List<Supplier<Uni<?>>> pieces = new ArrayList<>();
        StringBuilder unsaid = new StringBuilder();
        int said = held.saidLength();
        for (int i = 0; i < events.size(); i++) {
            HostEvent event = events.get(i);
            if (event.event() == HostEvent.Kind.CHUNK) {
                unsaid.append(event.text());
                if (said + unsaid.length() > chats.maxAnswer()) {
                    throw Problem.invalid(
                            "events[" + i + "].text",
                            "makes the answer longer than " + chats.maxAnswer() + " characters");
                }
            } else if (event.event() != HostEvent.Kind.USAGE) {
                said = say(db, held.fence(), unsaid, said, pieces);
                TurnRepository.Step step = event.step(held.fence(), said);
                pieces.add(() -> turns.step(db, null, List.of(step)));
            }
        }
        say(db, held.fence(), unsaid, said, pieces);
        return pieces;
    }

    /** Returns how long the answer is then. */
    private int say(Db db, Fence fence, StringBuilder unsaid, int said, List<Supplier<Uni<?>>> pieces) {
        int from = 0;
        while (from < unsaid.length()) {
            int end = Spoken.end(unsaid, from);
            String text = unsaid.substring(from, end);
            int place = said + from;
            pieces.add(() -> hosts.say(db, fence, text, place));
            from = end;
        }
        unsaid.setLength(0);
        return said + from;
    }

    /**
     * Ends a turn, or lets go of it. The same again is a success.
     *
     * @throws Problem as {@link #tell}; {@code CONFLICT} if it has ended in another way
     */
    Uni<Lease> end(Db db, Caller caller, UUID host, UUID turn, HostResult result) {
        result.check();
        if (result.message() != null && result.message().length() > chats.maxAnswer()) {
            throw Problem.invalid("message", "must have at most " + chats.maxAnswer() + " characters");
        }
        return registry.acting(db, caller, host)
                .chain(() -> db.atomically(transaction -> held(transaction, host, turn, result.epoch(), true)
                        .chain(held -> ended(transaction, held, result))))
                .invoke(() -> db.afterCommit(wakeUps::appended));
    }

    private Uni<Lease> ended(Db db, Held held, HostResult result) {
        String ending = result.outcome().ending();
        Lease over = new Lease(
                false,
                0,
                Wire.is(SessionStatus.RUNNING, held.status()) ? Desired.IDLE : Desired.of(held.status(), false),
                held.fence().epoch());
        if (!held.state().equals("running")) {
            // let go of while its session runs, it is parked
            boolean repeated = held.state().equals(ending)
                    || (result.outcome() == HostResult.Outcome.PAUSED
                            && held.state().equals("parked"));
            if (repeated) {
                return Uni.createFrom().item(over);
            }
            throw new Problem(ProblemType.CONFLICT, "The turn is " + held.state()).with("state", held.state());
        }
        String words = result.outcome() == HostResult.Outcome.QUESTION ? result.question() : result.error();
        return close(
                        db,
                        held,
                        ending,
                        result.message() == null ? held.said() : result.message(),
                        reason(result.outcome(), held.status()),
                        words,
                        result.schemaJson(),
                        result.inputTokens(),
                        result.outputTokens())
                .replaceWith(over);
    }

    private static String reason(HostResult.Outcome outcome, String status) {
        return switch (outcome) {
            case PAUSED -> "paused";
            case STOPPED -> Wire.is(SessionStatus.CANCELLED, status) ? "cancelled" : "stopped";
            default -> null;
        };
    }

    private Uni<Void> close(
            Db db,
            Held held,
            String ending,
            String said,
            String reason,
            String words,
            String schema,
            long input,
            long output) {
        Ending how = new Ending(
                held.fence(),
                ending,
                said,
                reason,
                words,
                ending.equals("waiting") ? Ids.next() : null,
                schema,
                new Used(held.toldInput() + input, held.toldOutput() + output, held.workedMillis()));
        return turns.close(db, null, List.of(how))
                .chain(() -> hosts.counted(db, held.fence()))
                .invoke(() -> db.afterCommit(() -> outcomes.count(ending)));
    }

    /** The turn under its lock, if it is this host's still. */
    private Uni<Held> held(Db db, UUID host, UUID turn, long epoch, boolean withSaid) {
        return hosts.hold(db, turn, withSaid)
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The turn"))
                .invoke(held -> {
                    boolean mine =
                            host.equals(held.host()) && epoch == held.fence().epoch() && epoch == held.sessionEpoch();
                    if (!mine) {
                        throw new Problem(
                                        ProblemType.FENCED,
                                        "Another owner holds the turn, with epoch " + held.sessionEpoch())
                                .with("epoch", held.sessionEpoch());
                    }
                });
    }
}
