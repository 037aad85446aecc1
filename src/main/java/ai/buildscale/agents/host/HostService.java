package ai.buildscale.agents.host;

import ai.buildscale.agents.host.HostRepository.WorkRequest;
import ai.buildscale.agents.host.HostResource.TurnBeat;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Entities;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.turn.TurnConfig;
import ai.buildscale.agents.turn.TurnLifecycle;
import ai.buildscale.agents.workspace.Access;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * Registers hosts elsewhere and gives them work: turns of sessions hosted outside, in the workspaces that a host's
 * user is a member of, or in all if it operates the platform. No turn has two hosts, however many ask at once.
 */
@ApplicationScoped
class HostService {
    private static final int MOST_LISTED = 1_000;

    private final Database database;
    private final Entities entities;
    private final HostRepository hosts;
    private final HostWaiters waits;
    private final HostSweep sweep;
    private final Notifier notifier;
    private final HostConfig config;
    private final TurnConfig turns;
    private final TurnLifecycle lifecycle;

    HostService(
            Database database,
            Entities entities,
            HostRepository hosts,
            HostWaiters waits,
            HostSweep sweep,
            Notifier notifier,
            HostConfig config,
            TurnConfig turns,
            TurnLifecycle lifecycle) {
        this.database = database;
        this.entities = entities;
        this.hosts = hosts;
        this.waits = waits;
        this.sweep = sweep;
        this.notifier = notifier;
        this.config = config;
        this.turns = turns;
        this.lifecycle = lifecycle;
    }

    /**
     * Registers a host of the caller.
     *
     * @param agentTypes those that it serves; null for all
     * @param models likewise
     * @throws Problem {@code FORBIDDEN} unless the caller is in the group {@code agent-host}
     */
    Uni<HostView> register(
            Db db, Caller caller, String name, List<AgentType> agentTypes, List<String> models, int capacity) {
        requireHost(caller);
        return hosts.register(db, Ids.next(), caller.userId(), name, agentTypes, models, capacity);
    }

    /** The caller's hosts, or everybody's if it operates the platform; those registered last first. */
    Uni<List<HostView>> list(Caller caller) {
        if (!caller.isAdmin()) {
            requireHost(caller);
        }
        UUID user = caller.isAdmin() ? null : caller.userId();
        return entities.read(() -> hosts.list(user, MOST_LISTED))
                .map(found -> found.stream().map(AgentHost::view).toList());
    }

    /** @throws Problem {@code NOT_FOUND}; {@code FORBIDDEN} unless the caller registered it, or operates the platform */
    Uni<HostView> get(Caller caller, UUID id) {
        return entities.read(() -> hosts.findById(id))
                .map(host -> host == null ? null : host.view())
                .onItem()
                .ifNull()
                .failWith(HostService::notFound)
                .invoke(host -> requireOwner(caller, host, caller.isAdmin()));
    }

    /** The same for what only the host itself may do. */
    Uni<HostView> acting(Db db, Caller caller, UUID id) {
        return find(db, id).invoke(host -> requireOwner(caller, host, false)).invoke(() -> requireHost(caller));
    }

    private Uni<HostView> find(Db db, UUID id) {
        return hosts.find(db, id).onItem().ifNull().failWith(HostService::notFound);
    }

    private static Problem notFound() {
        return Problem.notFound("The host");
    }

    private static void requireHost(Caller caller) {
        if (!caller.isAgentHost()) {
            throw Problem.forbidden("This needs a token of the group agent-host");
        }
    }

    private static void requireOwner(Caller caller, HostView host, boolean anybody) {
        if (!anybody && !caller.userId().equals(host.userId())) {
            throw Problem.forbidden("Only who registered the host may do this");
        }
    }

    /** The host leaves: its turns are work again at once, for whoever comes next. */
    Uni<Void> leave(Caller caller, UUID id) {
        return get(caller, id)
                .chain(() -> hosts.leave(id))
                .chain(sweep::giveBack)
                .invoke(notifier::appended)
                .replaceWithVoid();
    }

    /**
     * Gives a host turns, as many as it has room for; waits for the first one. Emits none if the time is over, the caller has
     * gone, or this server stops.
     *
     * @param known the turns that it has: what else it was given, it is given again; null if it does not say
     * @param gone whether nobody waits for the answer any more: then nothing is given
     */
    Uni<List<HostWork>> work(
            Caller caller, UUID id, int limit, List<TurnBeat> known, Duration wait, BooleanSupplier gone) {
        WorkRequest asking = new WorkRequest(id, caller.isAdmin());
        long until = System.nanoTime() + wait.toNanos();
        return acting(database, caller, id)
                .chain(() -> unknown(caller, asking, limit, known))
                .chain(work -> work.isEmpty() ? next(asking, limit, until, gone) : given(asking, work, gone));
    }

    private Uni<List<HostWork>> unknown(Caller caller, WorkRequest asking, int limit, List<TurnBeat> known) {
        if (known == null) {
            return Uni.createFrom().item(List.of());
        }
        UUID[] turns = known.stream().map(TurnBeat::turnId).toArray(UUID[]::new);
        Long[] epochs = known.stream().map(TurnBeat::epoch).toArray(Long[]::new);
        return hosts.beat(database, asking.host(), Access.limitedTo(caller), turns, epochs, config.turnLease())
                .chain(() -> hosts.giveAgain(asking, limit, config.turnLease()));
    }

    private Uni<List<HostWork>> next(WorkRequest asking, int limit, long until, BooleanSupplier gone) {
        return claim(asking, limit).chain(work -> {
            if (!work.isEmpty()) {
                return given(asking, work, gone);
            }
            Duration left = Duration.ofNanos(until - System.nanoTime());
            return !left.isPositive()
                    ? Uni.createFrom().item(work)
                    : waits.until(asking, left)
                            .chain(there -> there && !gone.getAsBoolean()
                                    ? next(asking, limit, until, gone)
                                    : Uni.createFrom().item(List.of()));
        });
    }

    private Uni<List<HostWork>> claim(WorkRequest asking, int limit) {
        return hosts.takeUp(asking, limit, config.turnLease(), turns.maxAttempts())
                .chain(lost -> lost.size() == limit
                        ? Uni.createFrom().item(lost)
                        : hosts.begin(asking, limit - lost.size(), config.turnLease())
                                .map(fresh -> Stream.of(lost, fresh)
                                        .flatMap(List::stream)
                                        .toList()))
                .invoke(work -> work.forEach(turn -> lifecycle.claimed(turn.fence())));
    }

    /** With what its agents remember; a caller that has gone meanwhile, or cannot be answered, gets none. */
    private Uni<List<HostWork>> given(WorkRequest asking, List<HostWork> work, BooleanSupplier gone) {
        return hosts.withHistory(work, turns.history())
                .onFailure()
                .call(() -> unread(asking, work).onFailure().recoverWithNull())
                .chain(whole -> gone.getAsBoolean()
                        ? unread(asking, work).replaceWith(List.<HostWork>of())
                        : Uni.createFrom().item(whole))
                .invoke(notifier::appended);
    }

    /** The turns are work again at once. */
    private Uni<Void> unread(WorkRequest asking, List<HostWork> work) {
        return hosts.unread(asking.host(), work).chain(sweep::giveBack).replaceWithVoid();
    }
}
