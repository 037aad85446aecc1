package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.Database;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.Migrations;
import ai.buildscale.agents.platform.Trouble;
import ai.buildscale.agents.session.SessionHost;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * This process' membership: one row with a fresh id, renewed every few seconds. The sessions that it hosts live as long
 * as this lease does, without a write of their own.
 */
@ApplicationScoped
class ServerLease implements SessionHost {
    private static final Logger LOG = Logger.getLogger(ServerLease.class);
    private static final Duration GOODBYE = Duration.ofSeconds(2);

    private static final String RENEW = """
            insert into servers (id, hostname, version) values ($1, $2, $3)
            on conflict (id) do update set renewed_at = now()""";

    private static final String LEAVE = "update servers set left_at = now(), renewed_at = now() where id = $1";

    /** Rows of servers long gone, once nothing that lives names them. */
    private static final String FORGET = """
            delete from servers v
            where v.renewed_at < now() - interval '1 day'
                and not exists (select from agent_sessions s where s.server_id = v.id and s.ended_at is null)""";

    private final Trouble trouble = new Trouble(ServerLease.class, "this server cannot renew its lease");
    private final Database database;
    private final Migrations migrations;
    private final String version;
    private final Server self;

    ServerLease(
            Database database,
            Migrations migrations,
            ServerConfig config,
            @ConfigProperty(name = "quarkus.application.version") String version) {
        this.database = database;
        this.migrations = migrations;
        this.version = version;
        this.self = new Server(Ids.next(), config.hostname().orElseGet(ServerLease::machineName));
    }

    private static String machineName() {
        String name = System.getenv("HOSTNAME");
        if (name != null && !name.isBlank()) {
            return name;
        }
        try {
            return java.net.InetAddress.getLocalHost().getHostName();
        } catch (java.net.UnknownHostException e) {
            return "unknown";
        }
    }

    @Override
    public Server place() {
        return self;
    }

    void start(@Observes Migrations.Applied event) {
        renew().await().atMost(Duration.ofSeconds(10));
        LOG.infof("server %s on %s joins the fleet", self.id(), self.hostname());
    }

    @Scheduled(every = "${server.lease-renewal:2s}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return renew().invoke(trouble::over)
                .onFailure()
                .invoke(trouble::met)
                .onFailure()
                .recoverWithNull();
    }

    @Scheduled(every = "1h", delayed = "1m")
    Uni<Void> forget() {
        return database.rows(FORGET).replaceWithVoid().onFailure().recoverWithNull();
    }

    private Uni<Void> renew() {
        return database.rows(RENEW, self.id(), self.hostname(), version).replaceWithVoid();
    }

    void stop(@Observes ShutdownEvent event) {
        if (migrations.done()) {
            database.rows(LEAVE, self.id())
                    .ifNoItem()
                    .after(GOODBYE)
                    .fail()
                    .onFailure()
                    .recoverWithNull()
                    .await()
                    .indefinitely();
        }
    }
}
