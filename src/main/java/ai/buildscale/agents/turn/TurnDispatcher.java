package ai.buildscale.agents.turn;

import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.Engines;
import ai.buildscale.agents.platform.Unknown;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.postgres.Notification;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.session.SessionPlacement;
import ai.buildscale.agents.session.SessionStatus;
import ai.buildscale.agents.turn.AgentActor.Recalled;
import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Parked;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/**
 * Finds the work of this server's agents and gives it to their actors: messages to begin turns with, and turns that
 * nobody runs. Looks when a notification names the server, and once a second beneath.
 */
@ApplicationScoped
class TurnDispatcher implements AgentActor.Supervisor {
    private static final Logger LOG = Logger.getLogger(TurnDispatcher.class);
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration ORPHAN_POLL = Duration.ofSeconds(5);
    /** Turns that lost their owner are looked for at most this often. */
    private static final Duration LOST_REST = Duration.ofMillis(500);
    /** After this long a turn that was parked here is not handed over any more. */
    private static final Duration NOT_HANDED_OVER = Duration.ofSeconds(2);

    private final FailureLog failureLog = new FailureLog(TurnDispatcher.class, "agents do not get their messages");
    private final Unknown left =
            new Unknown(TurnDispatcher.class, "turns are parked while their session is in a state");
    private final AgentRegistry agents;
    private final TurnRepository turns;
    private final TurnWriter writer;
    private final ChunkPublisher chunks;
    private final Engines engines;
    private final SessionPlacement placement;
    private final Notifier notifier;
    private final Vertx vertx;
    private final Jobs jobs;
    private final TurnConfig config;
    private final TurnLifecycle lifecycle;
    /** Sessions that are free, and have messages. */
    private final Set<UUID> free = ConcurrentHashMap.newKeySet();

    private final SingleFlight beginning;
    private final SingleFlight takingUp;
    private final GoneSessions goneSessions;
    private volatile boolean holding;

    TurnDispatcher(
            AgentRegistry agents,
            TurnRepository turns,
            TurnWriter writer,
            ChunkPublisher chunks,
            Engines engines,
            SessionPlacement placement,
            Notifier notifier,
            Vertx vertx,
            Jobs jobs,
            TurnConfig config,
            TurnLifecycle lifecycle) {
        this.agents = agents;
        this.turns = turns;
        this.writer = writer;
        this.chunks = chunks;
        this.engines = engines;
        this.placement = placement;
        this.notifier = notifier;
        this.vertx = vertx;
        this.jobs = jobs;
        this.config = config;
        this.lifecycle = lifecycle;
        this.beginning = SingleFlight.onLoop(vertx, this::beginNow, failureLog::met);
        this.takingUp = SingleFlight.onLoop(vertx, LOST_REST, this::takeUpLost, failureLog::met);
        this.goneSessions = new GoneSessions(turns, agents::sessions, placement::self, this::gone, failureLog::met);
        notifier.listen(this::notified);
    }

    void start(@Observes @Priority(300) Migrations.Applied event) {
        poll().chain(this::pollOrphaned).subscribe().with(_ -> {}, failureLog::met);
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> poll() {
        return jobs.trigger("turns", POLL, () -> {
            agents.passivate();
            goneSessions.look();
            findWaiting();
            dispatch();
        });
    }

    @Scheduled(every = "5s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> pollOrphaned() {
        return jobs.trigger("turns-orphaned", ORPHAN_POLL, this::findOrphaned);
    }

    private void notified(Notification notification) {
        // mostly the log has grown and no server is named: whether this one may act is not asked then
        if (notification.concernsAny() && notification.concerns(placement.self())) {
            dispatch();
        }
    }

    /** Looks for messages, and for turns that nobody runs. */
    void dispatch() {
        if (mayAct()) {
            beginning.trigger();
            takingUp.trigger();
        }
    }

    /** Nothing new is begun until {@link #goOn}. */
    void hold() {
        holding = true;
    }

    void goOn() {
        holding = false;
        dispatch();
    }

    private boolean mayAct() {
        return owner() != null;
    }

    /** This server as an owner that may begin something; null while it may not. */
    private UUID owner() {
        return holding || !agents.isStarted() ? null : placement.self();
    }

    /** The session is free, and messages wait for it. */
    void freed(UUID session) {
        free.add(session);
        if (mayAct()) {
            beginning.trigger();
        }
    }

    private Uni<Void> beginNow() {
        UUID self = owner();
        if (self == null) {
            return Uni.createFrom().voidItem();
        }
        Set<UUID> freed = new HashSet<>(free);
        free.removeAll(freed);
        return turns.begin(self, freed)
                .onFailure()
                .invoke(() -> free.addAll(freed))
                .invoke(this::claimed)
                .invoke(claimed -> {
                    if (claimed.size() == TurnSql.BATCH) {
                        beginning.trigger();
                    }
                })
                .replaceWithVoid();
    }

    private Uni<?> takeUpLost() {
        UUID self = owner();
        return self == null
                ? Uni.createFrom().voidItem()
                : turns.takeUpLost(self, NOT_HANDED_OVER).invoke(this::claimed);
    }

    /** Messages whose turn has come and which nobody told of: the answer that said so was lost, or the server. */
    private void findWaiting() {
        UUID self = owner();
        if (self != null) {
            turns.waiting(self)
                    .subscribe()
                    .with(
                            sessions -> {
                                if (free.addAll(sessions)) {
                                    beginning.trigger();
                                }
                            },
                            failureLog::met);
        }
    }

    /** Turns of this server that should run and do not: it was demoted meanwhile, or an answer was lost. */
    private void findOrphaned() {
        UUID self = owner();
        if (self != null) {
            turns.orphaned(self).subscribe().with(orphaned -> orphaned.forEach(this::putRight), failureLog::met);
        }
    }

    private void putRight(OpenTurn orphan) {
        UUID session = orphan.fence().session();
        AgentActor actor = agents.find(session);
        if (actor == null || !actor.isAt(orphan.fence().turn())) {
            boolean idle = WireEnum.is(SessionStatus.IDLE, orphan.status());
            TurnOutcome outcome = idle ? new Stopped(StopReason.YIELDED) : new Parked();
            LOG.infof(
                    "session %s turn %s has no agent here",
                    session, orphan.fence().turn());
            turns.progress(orphan.fence(), orphan.answer())
                    .chain(progress -> closeUnattended(orphan, outcome, progress.text()))
                    .subscribe()
                    .with(_ -> {}, failureLog::met);
        }
    }

    /** Closes a turn that no actor runs here. */
    Uni<Void> closeUnattended(OpenTurn open, TurnOutcome outcome, String answer) {
        TurnClosing closing = TurnClosing.atRest(open.fence(), outcome, answer);
        return writer.close(closing, () -> true)
                .invoke(mail -> {
                    notifier.appended();
                    if (mail != null) {
                        lifecycle.closedAtRest(open, closing);
                    }
                    if (mail != null && mail > 0) {
                        freed(open.fence().session());
                    }
                })
                .replaceWithVoid();
    }

    /** Gives turns that this server has claimed to their actors. */
    void claimed(List<ClaimedTurn> all) {
        failureLog.over();
        if (!all.isEmpty()) {
            notifier.appended();
            all.forEach(lifecycle::claimed);
            all.stream()
                    .filter(claimed -> claimed.news() == null)
                    .forEach(claimed -> LOG.infof(
                            "session %s turn %s is taken up with epoch %d, attempt %d",
                            claimed.fence().session(),
                            claimed.fence().turn(),
                            claimed.fence().epoch(),
                            claimed.attempt()));
            all.forEach(
                    claimed -> agents.actorOf(claimed.fence().session(), this).begin(claimed));
        }
    }

    @Override
    public TurnConfig config() {
        return config;
    }

    @Override
    public TurnWriter writer() {
        return writer;
    }

    @Override
    public ChunkPublisher chunks() {
        return chunks;
    }

    @Override
    public Engine engineOf(String model) {
        return engines.find(model).orElse(null);
    }

    @Override
    public boolean isHolding() {
        return holding;
    }

    @Override
    public Uni<Recalled> recall(ClaimedTurn claimed) {
        return Uni.combine()
                .all()
                .unis(
                        turns.memory(claimed.fence().chat(), claimed.fence().turn(), config.history()),
                        turns.progress(claimed.fence(), claimed.answer()))
                .with(Recalled::new)
                .onFailure()
                .retry()
                .withBackOff(Duration.ofMillis(100), Duration.ofSeconds(1))
                .atMost(30);
    }

    @Override
    public void notRecalled(ClaimedTurn claimed, Throwable failure) {
        LOG.warnf("session %s: its history cannot be read: %s", claimed.fence().session(), failure);
        TurnClosing closing = TurnClosing.atRest(claimed.fence(), new Parked(), claimed.answer());
        writer.close(closing, () -> true).subscribe().with(_ -> {}, failureLog::met);
    }

    @Override
    public void closed(AgentActor actor, TurnClosing closing, int mail) {
        notifier.appended();
        lifecycle.closed(closing, EnumSet.of(TurnState.RUNNING));
        if (closing.outcome() instanceof Failed) {
            // its session has ended with it
            agents.forget(actor);
        }
        boolean rests = closing.outcome() instanceof Parked || closing.outcome() instanceof Paused;
        if (mail > 0 && !rests) {
            freed(actor.session());
        }
    }

    @Override
    public void refused(AgentActor actor, TurnExecution execution) {
        UUID self = placement.self();
        LOG.infof(
                "session %s turn %s: a write was refused",
                execution.fence().session(), execution.fence().turn());
        if (self == null) {
            execution.abandon();
            return;
        }
        turns.open(self, actor.session()).subscribe().with(open -> judge(actor, execution, open), failureLog::met);
    }

    private void judge(AgentActor actor, TurnExecution execution, OpenTurn open) {
        if (open == null || !open.fence().equals(execution.fence())) {
            if (execution.isOver()) {
                agents.forget(actor, execution);
            } else {
                // its session has ended, and it may still say what it has used; or it is another's, and nobody listens
                execution
                        .interrupt(new Stopped(StopReason.ENDED))
                        .subscribe()
                        .with(_ -> agents.forget(actor, execution), failureLog::met);
            }
            return;
        }
        // where people have ended the turn by a command to its owner, that is on its way
        switch (WireEnum.known(SessionStatus.class, open.status())) {
            case IDLE -> stop(execution, StopReason.YIELDED);
            case COMPLETED -> stop(execution, StopReason.COMPLETED);
            case ERROR -> stop(execution, StopReason.FAILED);
            case RUNNING -> vertx.setTimer(POLL.toMillis(), _ -> parkNow(execution));
            case PAUSED, CANCELLED -> {}
            case null -> {
                left.met(open.status());
                parkNow(execution);
            }
        }
    }

    private void parkNow(TurnExecution execution) {
        execution.park(Duration.ZERO).subscribe().with(_ -> {}, failureLog::met);
    }

    private void stop(TurnExecution execution, String reason) {
        execution.interrupt(new Stopped(reason)).subscribe().with(_ -> {}, failureLog::met);
    }

    private void gone(UUID session, boolean ended) {
        AgentActor actor = agents.find(session);
        if (actor != null && ended) {
            agents.end(actor, StopReason.ENDED).subscribe().with(_ -> {}, failureLog::met);
        } else if (actor != null && actor.rests()) {
            agents.forget(actor);
        }
    }
}
