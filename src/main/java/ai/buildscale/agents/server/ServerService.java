package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.server.RebalancePolicy.PlannedMove;
import ai.buildscale.agents.session.CommandOutcome;
import ai.buildscale.agents.session.CommandQueue;
import ai.buildscale.agents.session.SessionCommands;
import ai.buildscale.agents.session.SessionService;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/** Serves operators of the fleet: cordons, drains, rebalances and migrates, for the group {@code admin} only. */
@ApplicationScoped
public class ServerService {
    private static final ServerRepository.Counts NONE = new ServerRepository.Counts(0, 0);

    private final ServerRepository servers;
    private final Rebalancing rebalancing;
    private final CommandQueue queue;
    private final SessionService sessions;
    private final SessionCommands commands;
    private final FleetMonitor fleet;
    private final Placement placement;
    private final ServerConfig config;

    ServerService(
            ServerRepository servers,
            Rebalancing rebalancing,
            CommandQueue queue,
            SessionService sessions,
            SessionCommands commands,
            FleetMonitor fleet,
            Placement placement,
            ServerConfig config) {
        this.servers = servers;
        this.rebalancing = rebalancing;
        this.queue = queue;
        this.sessions = sessions;
        this.commands = commands;
        this.fleet = fleet;
        this.placement = placement;
        this.config = config;
    }

    private static void requireAdmin(Caller caller) {
        if (!caller.isAdmin()) {
            throw notAdmin();
        }
    }

    private static Problem notAdmin() {
        return Problem.forbidden("This needs the group admin");
    }

    /** All members, those that went not long ago too; the oldest first. */
    Uni<List<ServerView>> list(Caller caller) {
        requireAdmin(caller);
        return servers.members()
                .chain(members -> servers.counts(ServerRepository.ids(members))
                        .map(counts -> members.stream()
                                .sorted(Comparator.comparing(Member::id))
                                .map(member -> ServerView.of(member, counts.getOrDefault(member.id(), NONE)))
                                .toList()));
    }

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} */
    Uni<ServerView> get(Caller caller, UUID id) {
        return list(caller)
                .map(all -> all.stream()
                        .filter(server -> server.id().equals(id))
                        .findFirst()
                        .orElseThrow(() -> Problem.notFound("The server")));
    }

    /**
     * Says what may happen on a server; saying it again changes nothing.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code CONFLICT} if it is gone
     */
    Uni<ServerView> change(Db db, Caller caller, UUID id, ServerState state) {
        requireAdmin(caller);
        return servers.change(db, id, state, config.drainTimeout())
                .invoke(changed -> {
                    if (!changed.known()) {
                        throw Problem.notFound("The server");
                    }
                    if (!changed.changed()) {
                        throw new Problem(ProblemType.CONFLICT, "The server is gone").with("state", "gone");
                    }
                    db.afterCommit(fleet::lookSoon);
                })
                .chain(() -> servers.find(db, id))
                .chain(member -> servers.counts(List.of(id))
                        .map(counts -> ServerView.of(member, counts.getOrDefault(id, NONE))));
    }

    /** The plan, and if it is not only to be shown, the wish that the servers follow it now. */
    Uni<Rebalancing.Plan> rebalance(Db db, Caller caller, boolean dryRun) {
        requireAdmin(caller);
        return fleet.runOnce()
                .map(_ -> rebalancing.planNow())
                .call(plan -> dryRun
                        ? Uni.createFrom().voidItem()
                        : servers.askToRebalance(
                                db,
                                plan.moves().stream()
                                        .map(PlannedMove::from)
                                        .distinct()
                                        .toList()));
    }

    /**
     * Asks a session's owner to hand it over.
     *
     * @param target null for where placement says
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code VALIDATION_ERROR} if there is no such server; {@code
     *     CONFLICT} if it takes no sessions, or the session cannot be moved
     */
    Uni<CommandOutcome> migrate(Db db, Caller caller, UUID session, UUID target) {
        if (!caller.isAdmin()) {
            return sessions.get(caller, session).map(_ -> {
                throw notAdmin();
            });
        }
        Uni<Void> known = target == null || placement.find(target) != null
                ? Uni.createFrom().voidItem()
                : fleet.runOnce();
        return known.chain(() -> {
            requireTaker(target);
            return queue.askToMigrate(db, session, target);
        });
    }

    private void requireTaker(UUID target) {
        if (target == null) {
            return;
        }
        Member member = placement.find(target);
        if (member == null) {
            throw Problem.invalid("server_id", "must be a server of the fleet");
        }
        if (!member.takes(config.lostAfter())) {
            throw new Problem(ProblemType.CONFLICT, "The server takes no sessions: it is " + member.state())
                    .field("server_id", "takes no sessions")
                    .with("state", member.state());
        }
    }

    /** The migration, once it is applied or that time is over. */
    Uni<CommandOutcome> settled(Caller caller, CommandOutcome asked, Duration wait) {
        return commands.settled(caller, asked, wait);
    }

    /** Judges the repeat of what an operator said: it is for operators only. */
    static Uni<Void> review(Caller caller) {
        requireAdmin(caller);
        return Uni.createFrom().voidItem();
    }
}
