package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Ends the streams of removed members, with one query for all streams of this server. */
@ApplicationScoped
class MembershipWatch {
    private static final String GONE = """
            select f.workspace_id, f.user_id, f.admin
            from unnest($1::uuid[], $2::uuid[], $3::boolean[]) as f(workspace_id, user_id, admin)
            where case when f.admin
                then not exists (select from workspaces w where w.id = f.workspace_id)
                else not exists (
                    select from workspace_members m
                    where m.workspace_id = f.workspace_id and m.user_id = f.user_id) end""";

    private final FailureLog failureLog = new FailureLog(MembershipWatch.class, "streams may outlive a membership");
    private final Database database;
    private final Subscribers subscribers;
    private final Jobs jobs;
    private final Duration every;

    MembershipWatch(
            Database database,
            Subscribers subscribers,
            Jobs jobs,
            @ConfigProperty(name = "events.membership-check", defaultValue = "2s") Duration every) {
        this.database = database;
        this.subscribers = subscribers;
        this.jobs = jobs;
        this.every = every;
    }

    @Scheduled(every = "${events.membership-check:2s}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return jobs.run("memberships", every, this::checkIfFollowed);
    }

    private Uni<Void> checkIfFollowed() {
        return subscribers.none()
                ? Uni.createFrom().voidItem()
                : runOnce()
                        .invoke(failureLog::over)
                        .onFailure()
                        .invoke(failureLog::met)
                        .onFailure()
                        .recoverWithNull();
    }

    Uni<Void> runOnce() {
        List<Subscriber.Follower> followers = List.copyOf(subscribers.followers());
        return database.rows(
                        GONE,
                        followers.stream().map(Subscriber.Follower::workspaceId).toArray(UUID[]::new),
                        followers.stream().map(Subscriber.Follower::userId).toArray(UUID[]::new),
                        followers.stream().map(Subscriber.Follower::admin).toArray(Boolean[]::new))
                .invoke(rows -> {
                    Set<Subscriber.Follower> gone = new HashSet<>();
                    for (Row row : rows) {
                        gone.add(new Subscriber.Follower(row.getUUID(0), row.getUUID(1), row.getBoolean(2)));
                    }
                    if (!gone.isEmpty()) {
                        subscribers.forEach(subscriber -> {
                            if (gone.contains(subscriber.follower())) {
                                subscriber.end();
                            }
                        });
                    }
                })
                .replaceWithVoid();
    }
}
