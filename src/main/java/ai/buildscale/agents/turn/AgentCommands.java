package ai.buildscale.agents.turn;

import ai.buildscale.agents.session.AgentRuntime;
import ai.buildscale.agents.session.DeliveredCommand;
import ai.buildscale.agents.session.SessionPlacement;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

/** Carries out commands to this server's agents, and stops agents at safe points when their sessions move. */
@ApplicationScoped
class AgentCommands implements AgentRuntime {
    private final AgentRegistry agents;
    private final TurnDispatcher dispatcher;
    private final TurnRepository turns;
    private final SessionPlacement placement;
    private final TurnConfig config;
    private final SerialByKey commands = new SerialByKey();

    AgentCommands(
            AgentRegistry agents,
            TurnDispatcher dispatcher,
            TurnRepository turns,
            SessionPlacement placement,
            TurnConfig config) {
        this.agents = agents;
        this.dispatcher = dispatcher;
        this.turns = turns;
        this.placement = placement;
        this.config = config;
    }

    /** One after the other for each session, as they were accepted. */
    @Override
    public Uni<Void> obey(DeliveredCommand delivered) {
        return commands.after(delivered.command().sessionId(), () -> carryOut(delivered));
    }

    private Uni<Void> carryOut(DeliveredCommand delivered) {
        return switch (delivered.type()) {
            case PAUSE -> interrupt(delivered, new Paused(StopReason.PAUSED));
            case CANCEL -> cancel(delivered);
            case STOP -> interrupt(delivered, new Stopped(StopReason.STOPPED));
            case RESUME -> resume(delivered.command().sessionId());
            case null, default -> Uni.createFrom().failure(new IllegalStateException("it is not known here"));
        };
    }

    /** The session has ended: with its turn, unless it was cancelled by a server of the version before. */
    private Uni<Void> cancel(DeliveredCommand delivered) {
        AgentActor actor = agents.find(delivered.command().sessionId());
        Uni<Void> closed =
                delivered.turn() == null ? nothing() : interrupt(delivered, new Stopped(StopReason.CANCELLED));
        return closed.chain(() -> actor == null ? nothing() : agents.end(actor, StopReason.CANCELLED));
    }

    private static Uni<Void> nothing() {
        return Uni.createFrom().voidItem();
    }

    /** Nothing to do if the turn that was meant is over. */
    private Uni<Void> interrupt(DeliveredCommand delivered, TurnOutcome outcome) {
        if (delivered.turn() == null) {
            return nothing();
        }
        TurnExecution execution = agents.execution(delivered.command().sessionId());
        return execution == null || !execution.fence().turn().equals(delivered.turn())
                ? interruptUnattended(delivered, outcome)
                : execution
                        .interrupt(outcome)
                        // it may have come to wait for an answer just now
                        .chain(() -> execution.isLeft() && outcome instanceof Stopped
                                ? interruptUnattended(delivered, outcome)
                                : nothing());
    }

    /** The same for a turn that nobody runs; one that waits for an answer is at rest already, and cannot pause. */
    private Uni<Void> interruptUnattended(DeliveredCommand delivered, TurnOutcome outcome) {
        UUID self = placement.self();
        return self == null
                ? nothing()
                : turns.open(self, delivered.command().sessionId())
                        .chain(open -> open == null
                                        || !open.fence().turn().equals(delivered.turn())
                                        || !TurnLifecycle.allows(open, outcome)
                                ? nothing()
                                : dispatcher.closeUnattended(open, outcome, open.answer()));
    }

    /** Completes when it goes on, with its turn or its next message, or is idle: what is left then waits for nobody here. */
    private Uni<Void> resume(UUID session) {
        UUID self = placement.self();
        return self == null
                ? nothing()
                : turns.takeUpPaused(self, session)
                        .chain(paused -> paused.isEmpty()
                                ? turns.begin(self, Set.of(session))
                                : Uni.createFrom().item(paused))
                        .invoke(dispatcher::claimed)
                        .replaceWithVoid();
    }

    @Override
    public Uni<Void> checkpoint(UUID session) {
        TurnExecution execution = agents.execution(session);
        return execution == null ? nothing() : execution.park(config.safePointWait());
    }

    @Override
    public Uni<Void> checkpointAll() {
        dispatcher.hold();
        List<Uni<Void>> parked = agents.all().stream()
                .map(AgentActor::execution)
                .filter(Objects::nonNull)
                .map(execution -> execution.park(config.safePointWait()))
                .toList();
        return parked.isEmpty()
                ? nothing()
                : Uni.join().all(parked).andCollectFailures().replaceWithVoid();
    }

    @Override
    public void goOn() {
        dispatcher.goOn();
    }

    @Override
    public void ownershipChanged() {
        dispatcher.dispatch();
    }

    @Override
    public void abandonAll() {
        agents.forgetAll();
    }

    @Override
    public void abandon(UUID session) {
        AgentActor actor = agents.find(session);
        if (actor != null) {
            agents.forget(actor);
        }
    }
}
