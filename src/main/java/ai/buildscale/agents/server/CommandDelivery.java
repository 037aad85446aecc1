package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.platform.postgres.Batcher;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.postgres.Notification;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.session.AgentRuntime;
import ai.buildscale.agents.session.CommandQueue;
import ai.buildscale.agents.session.CommandView;
import ai.buildscale.agents.session.DeliveredCommand;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Delivers commands to this server's agents: takes them when a notification names this server, has them carried out,
 * and acknowledges them. A wake-up that is lost costs a second or two. A cancel or migration that its owner has not carried
 * out in time is carried out by any server.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class CommandDelivery {
    private static final Logger LOG = Logger.getLogger(CommandDelivery.class);
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration LATE_INTERVAL = Duration.ofSeconds(1);
    private static final int BATCH = 500;

    /** A command that this server carried out, with the member id that it had then. */
    private record CarriedOut(UUID server, DeliveredCommand delivered, TraceSpan span) {}

    /** The commands that were accepted as applied, and their sessions. */
    private record AppliedCommands(Set<UUID> commands, Set<UUID> sessions) {
        static AppliedCommands of(List<List<DeliveredCommand>> accepted) {
            List<CommandView> all = accepted.stream()
                    .flatMap(List::stream)
                    .map(DeliveredCommand::command)
                    .toList();
            return new AppliedCommands(
                    all.stream().map(CommandView::id).collect(Collectors.toSet()),
                    all.stream().map(CommandView::sessionId).collect(Collectors.toSet()));
        }
    }

    private final FailureLog failureLog = new FailureLog(CommandDelivery.class, "commands are not taken");
    private final CommandQueue queue;
    private final Membership membership;
    private final AgentRuntime agents;
    private final Migration migration;
    private final Sweeps sweeps;
    private final Jobs jobs;
    private final Counter fenced;
    private final Set<UUID> underWay = ConcurrentHashMap.newKeySet();
    private final Batcher<CarriedOut, AppliedCommands> acknowledgements = new Batcher<>(BATCH, this::applyAll);
    private final SingleFlight deliveries;

    CommandDelivery(
            CommandQueue queue,
            Membership membership,
            AgentRuntime agents,
            Migration migration,
            Sweeps sweeps,
            Vertx vertx,
            Jobs jobs,
            Notifier notifier,
            MeterRegistry metrics) {
        this.queue = queue;
        this.membership = membership;
        this.agents = agents;
        this.migration = migration;
        this.sweeps = sweeps;
        this.deliveries = SingleFlight.onLoop(vertx, this::deliverNow, failureLog::met);
        this.jobs = jobs;
        this.fenced = metrics.counter("server.writes.fenced");
        notifier.listen(this::woken);
    }

    void start(@Observes @Priority(300) Migrations.Applied event) {
        poll().subscribe().with(_ -> {}, failureLog::met);
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> poll() {
        return jobs.trigger("commands", POLL, this::deliver);
    }

    private void woken(Notification wake) {
        if (wake.concerns(membership.id())) {
            deliver();
        }
    }

    private void deliver() {
        if (membership.owns()) {
            deliveries.trigger();
        }
    }

    /** Delivers the next commands, until there are none. */
    private Uni<?> deliverNow() {
        if (!membership.owns()) {
            return Uni.createFrom().voidItem();
        }
        return queue.deliver(membership.id()).invoke(commands -> {
            failureLog.over();
            if (!commands.isEmpty()) {
                carryOut(membership.id(), commands);
                deliveries.trigger();
            }
        });
    }

    /** Commands of different sessions run in parallel; a command that is under way is not started again. */
    private void carryOut(UUID server, List<DeliveredCommand> commands) {
        for (DeliveredCommand delivered : commands) {
            UUID id = delivered.command().id();
            if (underWay.add(id)) {
                TraceSpan span = span(delivered);
                Uni<Void> work = delivered.isMigration()
                        ? migration.carryOut(server, delivered)
                        : agents.obey(delivered)
                                .invoke(() -> span.event("obeyed"))
                                .chain(() -> apply(new CarriedOut(server, delivered, span)));
                work.onTermination()
                        .invoke(() -> underWay.remove(id))
                        .subscribe()
                        .with(_ -> span.end(), e -> {
                            span.log(() -> LOG.warnf(
                                    "session %s: its %s was not carried out, and is tried again: %s",
                                    delivered.command().sessionId(),
                                    delivered.command().command(),
                                    e));
                            span.fail(e.getClass().getName());
                        });
            }
        }
    }

    /** Begins the span of a command: from delivery until it is applied. */
    private static TraceSpan span(DeliveredCommand delivered) {
        CommandView command = delivered.command();
        return Traces.begin(
                TraceSpan.TraceKind.CONSUMER,
                "command " + command.command(),
                delivered.traceparent(),
                Map.of(
                        Traces.SESSION,
                        command.sessionId(),
                        "agent_sessions.command",
                        command.id(),
                        "agent_sessions.epoch",
                        command.epoch(),
                        "agent_sessions.server",
                        command.serverId()));
    }

    /** Acknowledges a command that was carried out. */
    private Uni<Void> apply(CarriedOut carriedOut) {
        return acknowledgements.add(carriedOut).chain(acknowledged -> {
            CommandView command = carriedOut.delivered().command();
            boolean accepted = acknowledged.commands().contains(command.id());
            if (!accepted && acknowledged.sessions().contains(command.sessionId())) {
                // there were more for this session than one statement says
                return apply(carriedOut);
            }
            if (!accepted) {
                carriedOut.span().fail("fenced");
                carriedOut.span().log(() -> fencedOff(command));
            }
            return Uni.createFrom().voidItem();
        });
    }

    /** Acknowledges each command as the member that carried it out: this server may be another member by now. */
    private Uni<AppliedCommands> applyAll(List<CarriedOut> batch) {
        Map<UUID, List<UUID>> commands = batch.stream()
                .collect(Collectors.groupingBy(
                        CarriedOut::server,
                        Collectors.mapping(
                                carriedOut -> carriedOut.delivered().command().id(), Collectors.toList())));
        return Uni.join()
                .all(commands.entrySet().stream()
                        .map(each -> queue.applied(each.getKey(), each.getValue()))
                        .toList())
                .andFailFast()
                .map(AppliedCommands::of);
    }

    private void fencedOff(CommandView command) {
        fenced.increment();
        LOG.warnf(
                "session %s is fenced: server %s does not own it with epoch %d any more",
                command.sessionId(), command.serverId(), command.epoch());
        agents.abandon(command.sessionId());
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("late-commands", LATE_INTERVAL, this::runOnce);
    }

    /** Carries out late cancels and migrations; emits their number. */
    Uni<Integer> runOnce() {
        return queue.fenceCancelled()
                .invoke(fencedOff -> fencedOff.forEach(delivered -> LOG.warnf(
                        "session %s is fenced with epoch %d: server %s did not carry out its %s in time",
                        delivered.command().sessionId(),
                        delivered.command().epoch(),
                        delivered.command().serverId(),
                        delivered.command().command())))
                .map(List::size)
                .chain(n -> migration.carryOutLate().map(late -> n + late));
    }
}
