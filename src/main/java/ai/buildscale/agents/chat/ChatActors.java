package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.ChatActor.Recalled;
import ai.buildscale.agents.chat.TurnRepository.ClaimedTurn;
import ai.buildscale.agents.chat.TurnRepository.Open;
import ai.buildscale.agents.chat.TurnRepository.TurnOutcome;
import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.Engines;
import ai.buildscale.agents.platform.Unknown;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.PeriodicTimers;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.session.AgentRuntime;
import ai.buildscale.agents.session.DeliveredCommand;
import ai.buildscale.agents.session.SessionPlacement;
import ai.buildscale.agents.session.SessionStatus;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Registers the actors of this server's agents, and begins, resumes and stops their turns. Looks for their work when a
 * wake-up names the server, and once a second beneath: messages to begin turns with, and turns that nobody runs. Gives
 * each to its actor, which it makes when there is none.
 */
@ApplicationScoped
class ChatActors implements AgentRuntime {
    private static final Logger LOG = Logger.getLogger(ChatActors.class);
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration STRAY_POLL = Duration.ofSeconds(5);
    /** Turns that lost their owner are looked for at most this often. */
    private static final long LOST_MILLIS = 500;
    /** After this long a turn that was parked here is not handed over any more. */
    private static final Duration NOT_HANDED_OVER = Duration.ofSeconds(2);
    /** What the agent of a session that has ended has for its last write. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(1);

    private final FailureLog failureLog = new FailureLog(ChatActors.class, "agents do not get their messages");
    private final Unknown left = new Unknown(ChatActors.class, "turns are parked while their session is in a state");
    private final TurnRepository turns;
    private final TurnWriter writer;
    private final ChunkPublisher feed;
    private final Engines engines;
    private final SessionPlacement host;
    private final Notifier notifier;
    private final Vertx vertx;
    private final PeriodicTimers timers;
    private final ChatConfig config;
    private final TurnOutcomes outcomes;
    private final Counter activated;
    private final Counter passivated;
    private final Map<UUID, ChatActor> actors = new ConcurrentHashMap<>();
    private final Set<UUID> free = ConcurrentHashMap.newKeySet();
    private final SerialByKey orders = new SerialByKey();
    private final AtomicBoolean looking = new AtomicBoolean();
    private final AtomicBoolean seeking = new AtomicBoolean();
    private final List<Context> loops = new ArrayList<>();
    private final GoneSessions goneSessions;
    private volatile boolean again;
    private volatile boolean seekAgain;
    private volatile boolean holding;

    ChatActors(
            TurnRepository turns,
            TurnWriter writer,
            ChunkPublisher feed,
            Engines engines,
            SessionPlacement host,
            Notifier notifier,
            Vertx vertx,
            PeriodicTimers timers,
            ChatConfig config,
            TurnOutcomes outcomes,
            MeterRegistry metrics) {
        this.turns = turns;
        this.writer = writer;
        this.feed = feed;
        this.engines = engines;
        this.host = host;
        this.notifier = notifier;
        this.vertx = vertx;
        this.timers = timers;
        this.config = config;
        this.outcomes = outcomes;
        this.goneSessions = new GoneSessions(turns, actors.keySet());
        this.activated = metrics.counter("chat.actors.activated");
        this.passivated = metrics.counter("chat.actors.passivated");
        metrics.gaugeMapSize("chat.actors", List.of(), actors);
        metrics.gauge("chat.turns.running", this, ChatActors::running);
    }

    void start(@Observes @Priority(300) Migrations.Applied event) {
        for (int i = 0; i < Runtime.getRuntime().availableProcessors() * 2; i++) {
            loops.add(((VertxInternal) vertx).createEventLoopContext());
        }
        timers.every(POLL, () -> {
            passivate();
            findGone();
            findWaiting();
            ownershipChanged();
        });
        timers.every(STRAY_POLL, this::findStrays);
    }

    private double running() {
        return actors.values().stream()
                .map(ChatActor::run)
                .filter(run -> run != null && run.isThinking())
                .count();
    }

    ChatConfig config() {
        return config;
    }

    TurnWriter writer() {
        return writer;
    }

    ChunkPublisher feed() {
        return feed;
    }

    /** Null if there is none. */
    Engine engineOf(String model) {
        return engines.find(model).orElse(null);
    }

    @Override
    public void ownershipChanged() {
        look();
        seek();
    }

    /** Whether nothing new may begin. */
    boolean isHolding() {
        return holding;
    }

    private boolean mayAct() {
        return !holding && !loops.isEmpty() && host.self() != null;
    }

    /** Looks for messages. */
    private void look() {
        again = true;
        if (mayAct() && looking.compareAndSet(false, true)) {
            vertx.runOnContext(_ -> lookNow());
        }
    }

    private void lookNow() {
        again = false;
        UUID self = host.self();
        if (self == null) {
            looking.set(false);
            return;
        }
        Set<UUID> freed = new HashSet<>(free);
        free.removeAll(freed);
        turns.begin(self, freed)
                .subscribe()
                .with(
                        begun -> {
                            begun(begun);
                            looking.set(false);
                            if (again || begun.size() == TurnSql.BATCH) {
                                look();
                            }
                        },
                        e -> {
                            free.addAll(freed);
                            failureLog.met(e);
                            looking.set(false);
                        });
    }

    /** Looks for turns that nobody runs. */
    private void seek() {
        seekAgain = true;
        if (mayAct() && seeking.compareAndSet(false, true)) {
            seekAgain = false;
            UUID self = host.self();
            if (self == null) {
                seeking.set(false);
                return;
            }
            turns.takeUpLost(self, NOT_HANDED_OVER)
                    .onTermination()
                    .invoke(() -> vertx.setTimer(LOST_MILLIS, _ -> {
                        seeking.set(false);
                        if (seekAgain) {
                            seek();
                        }
                    }))
                    .subscribe()
                    .with(this::begun, failureLog::met);
        }
    }

    /** Messages whose turn has come and which nobody told of: the answer that said so was lost, or the server. */
    private void findWaiting() {
        UUID self = host.self();
        if (self != null && mayAct()) {
            turns.waiting(self)
                    .subscribe()
                    .with(
                            sessions -> {
                                if (free.addAll(sessions)) {
                                    look();
                                }
                            },
                            failureLog::met);
        }
    }

    /** Turns of this server that should run and do not: it was demoted meanwhile, or an answer was lost. */
    private void findStrays() {
        UUID self = host.self();
        if (self != null && mayAct()) {
            turns.strays(self).subscribe().with(strays -> strays.forEach(this::putRight), failureLog::met);
        }
    }

    private void putRight(Open stray) {
        ChatActor actor = actors.get(stray.fence().session());
        if (actor == null || !actor.isAt(stray.fence().turn())) {
            boolean idle = WireEnum.is(SessionStatus.IDLE, stray.status());
            LOG.infof(
                    "session %s turn %s has no agent here",
                    stray.fence().session(), stray.fence().turn());
            turns.said(stray.fence(), stray.said())
                    .chain(said -> writer.close(
                            ChatActor.dormant(
                                    stray.fence(), idle ? "stopped" : "parked", said.text(), idle ? "yielded" : null),
                            () -> true))
                    .subscribe()
                    .with(mail -> dormantClosed(stray.fence().session(), mail), failureLog::met);
        }
    }

    private void begun(List<ClaimedTurn> all) {
        failureLog.over();
        if (!all.isEmpty()) {
            notifier.appended();
            all.stream()
                    .filter(begun -> begun.news() == null)
                    .forEach(begun -> LOG.infof(
                            "session %s turn %s is taken up with epoch %d, attempt %d",
                            begun.fence().session(),
                            begun.fence().turn(),
                            begun.fence().epoch(),
                            begun.attempt()));
            all.forEach(begun -> actorOf(begun.fence().session()).begin(begun));
        }
    }

    private ChatActor actorOf(UUID session) {
        return actors.computeIfAbsent(session, id -> {
            activated.increment();
            return new ChatActor(this, id, loops.get(Math.floorMod(id.hashCode(), loops.size())));
        });
    }

    /** What the agent remembers, and all that was said in the turn. */
    Uni<Recalled> recall(ClaimedTurn begun) {
        return Uni.combine()
                .all()
                .unis(
                        turns.memory(begun.fence().chat(), begun.fence().turn(), config.history()),
                        turns.said(begun.fence(), begun.said()))
                .with(Recalled::new)
                .onFailure()
                .retry()
                .withBackOff(Duration.ofMillis(100), Duration.ofSeconds(1))
                .atMost(30);
    }

    /** It is left for whoever can: a moment later, or another server. */
    void notRecalled(ClaimedTurn begun, Throwable failure) {
        LOG.warnf("session %s: its history cannot be read: %s", begun.fence().session(), failure);
        writer.close(ChatActor.dormant(begun.fence(), "parked", begun.said(), null), () -> true)
                .subscribe()
                .with(_ -> {}, failureLog::met);
    }

    void closed(ChatActor actor, TurnOutcome ending, int mail) {
        notifier.appended();
        outcomes.count(ending.ending());
        if (ending.ending().equals("failed")) {
            // its session has ended with it
            forget(actor);
        }
        if (mail > 0 && !ending.ending().equals("parked") && !ending.ending().equals("paused")) {
            free.add(actor.session());
            look();
        }
    }

    /** Its turn was not accepted: what has become of the session says what is left to do. */
    void refused(ChatActor actor, TurnExecution run) {
        UUID self = host.self();
        LOG.infof(
                "session %s turn %s: a write was refused",
                run.fence().session(), run.fence().turn());
        if (self == null) {
            run.abandon();
            return;
        }
        turns.open(self, actor.session()).subscribe().with(open -> judge(actor, run, open), failureLog::met);
    }

    private void judge(ChatActor actor, TurnExecution run, Open open) {
        if (open == null || !open.fence().equals(run.fence())) {
            if (run.isOver()) {
                forget(actor, run);
            } else {
                // its session has ended, and it may still say what it has used; or it is another's, and nobody listens
                run.interrupt("stopped", "ended").subscribe().with(_ -> forget(actor, run), failureLog::met);
            }
            return;
        }
        // where people have ended the turn by a command to its owner, that is on its way
        switch (WireEnum.known(SessionStatus.class, open.status())) {
            case IDLE -> stop(run, "yielded");
            case COMPLETED -> stop(run, "completed");
            case ERROR -> stop(run, "failed");
            case RUNNING ->
                vertx.setTimer(
                        POLL.toMillis(),
                        _ -> run.park(Duration.ZERO).subscribe().with(_ -> {}, failureLog::met));
            case PAUSED, CANCELLED -> {}
            case null -> {
                left.met(open.status());
                run.park(Duration.ZERO).subscribe().with(_ -> {}, failureLog::met);
            }
        }
    }

    private void stop(TurnExecution run, String reason) {
        run.interrupt("stopped", reason).subscribe().with(_ -> {}, failureLog::met);
    }

    /** Unless it has another turn by now. */
    private void forget(ChatActor actor, TurnExecution last) {
        if (actor.wasLastAt(last.fence())) {
            forget(actor);
        }
    }

    private void forget(ChatActor actor) {
        actors.remove(actor.session(), actor);
        actor.abandon();
    }

    private void findGone() {
        UUID self = host.self();
        if (self != null) {
            goneSessions.look(self, this::gone, failureLog::met);
        }
    }

    private void gone(UUID session, boolean ended) {
        ChatActor actor = actors.get(session);
        if (actor != null && ended) {
            ended(actor, "ended").subscribe().with(_ -> {}, failureLog::met);
        } else if (actor != null && actor.rests()) {
            forget(actor);
        }
    }

    /**
     * Completes when the agent of a session that has ended has stopped, and is no more: it may still say what its turn has
     * used, but where the session was removed nobody takes that.
     */
    private Uni<Void> ended(ChatActor actor, String reason) {
        TurnExecution run = actor.run();
        Uni<Void> stopped = run == null
                ? nothing()
                : run.interrupt("stopped", reason).ifNoItem().after(LAST_WORDS).recoverWithUni(ChatActors::nothing);
        return stopped.invoke(() -> forget(actor));
    }

    private void passivate() {
        actors.values().stream()
                .filter(actor -> actor.restsFor(config.passivateAfter()))
                .toList()
                .forEach(actor -> {
                    forget(actor);
                    passivated.increment();
                });
    }

    /** One after the other, as they were accepted. */
    @Override
    public Uni<Void> obey(DeliveredCommand order) {
        return orders.after(order.command().sessionId(), () -> carryOut(order));
    }

    private Uni<Void> carryOut(DeliveredCommand order) {
        return switch (order.command().command()) {
            case "pause" -> interrupt(order, "paused", "paused");
            case "cancel" -> cancel(order);
            case "stop" -> interrupt(order, "stopped", "stopped");
            case "resume" -> resume(order.command().sessionId());
            default -> Uni.createFrom().failure(new IllegalStateException("it is not known here"));
        };
    }

    /** The session has ended: with its turn, unless it was cancelled by a server of the version before. */
    private Uni<Void> cancel(DeliveredCommand order) {
        ChatActor actor = actors.get(order.command().sessionId());
        Uni<Void> closed = order.turn() == null ? nothing() : interrupt(order, "stopped", "cancelled");
        return closed.chain(() -> actor == null ? nothing() : ended(actor, "cancelled"));
    }

    private static Uni<Void> nothing() {
        return Uni.createFrom().voidItem();
    }

    /** Nothing to do if the turn that was meant is over. */
    private Uni<Void> interrupt(DeliveredCommand order, String ending, String reason) {
        if (order.turn() == null) {
            return nothing();
        }
        ChatActor actor = actors.get(order.command().sessionId());
        TurnExecution run = actor == null ? null : actor.run();
        return run == null || !run.fence().turn().equals(order.turn())
                ? dormant(order, ending, reason)
                : run.interrupt(ending, reason)
                        // it may have come to wait for an answer just now
                        .chain(() ->
                                run.isLeft() && ending.equals("stopped") ? dormant(order, ending, reason) : nothing());
    }

    /** The same for a turn that nobody runs. */
    private Uni<Void> dormant(DeliveredCommand order, String ending, String reason) {
        UUID self = host.self();
        UUID session = order.command().sessionId();
        return self == null
                ? nothing()
                : turns.open(self, session)
                        .chain(open -> open == null
                                        || !open.fence().turn().equals(order.turn())
                                        // what waits for an answer is at rest already
                                        || (ending.equals("paused")
                                                && open.state().equals("waiting"))
                                ? nothing()
                                : writer.close(ChatActor.dormant(open.fence(), ending, open.said(), reason), () -> true)
                                        .invoke(mail -> dormantClosed(session, mail))
                                        .replaceWithVoid());
    }

    private void dormantClosed(UUID session, Integer mail) {
        notifier.appended();
        if (mail != null && mail > 0) {
            free.add(session);
            look();
        }
    }

    /** Completes when it goes on, with its turn or its next message, or is idle: what is left then waits for nobody here. */
    private Uni<Void> resume(UUID session) {
        UUID self = host.self();
        return self == null
                ? nothing()
                : turns.takeUpPaused(self, session)
                        .chain(paused -> paused.isEmpty()
                                ? turns.begin(self, Set.of(session))
                                : Uni.createFrom().item(paused))
                        .invoke(this::begun)
                        .replaceWithVoid();
    }

    @Override
    public Uni<Void> checkpoint(UUID session) {
        ChatActor actor = actors.get(session);
        TurnExecution run = actor == null ? null : actor.run();
        return run == null ? nothing() : run.park(config.safePointWait());
    }

    @Override
    public Uni<Void> checkpointAll() {
        holding = true;
        List<Uni<Void>> parked = actors.values().stream()
                .map(ChatActor::run)
                .filter(run -> run != null)
                .map(run -> run.park(config.safePointWait()))
                .toList();
        return parked.isEmpty()
                ? nothing()
                : Uni.join().all(parked).andCollectFailures().replaceWithVoid();
    }

    @Override
    public void goOn() {
        holding = false;
        ownershipChanged();
    }

    @Override
    public void abandonAll() {
        List<ChatActor> all = List.copyOf(actors.values());
        actors.clear();
        all.forEach(ChatActor::abandon);
    }

    @Override
    public void abandon(UUID session) {
        ChatActor actor = actors.get(session);
        if (actor != null) {
            forget(actor);
        }
    }
}
