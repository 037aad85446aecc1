package ai.buildscale.agents.session;

import io.quarkus.arc.DefaultBean;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;

/** A hosted session that is its record and nothing else: what is committed has happened, and nothing runs that could lag. */
@DefaultBean
@ApplicationScoped
class RecordsOnly implements HostedAgents {
    @Override
    public Uni<Void> obey(Order order) {
        return Uni.createFrom().voidItem();
    }

    @Override
    public Uni<Void> checkpoint(UUID session) {
        return Uni.createFrom().voidItem();
    }

    @Override
    public Uni<Void> checkpointAll() {
        return Uni.createFrom().voidItem();
    }

    @Override
    public void ownershipChanged() {
        // there is nothing to start
    }

    @Override
    public void abandonAll() {
        // there is nothing to stop
    }

    @Override
    public void abandon(UUID session) {
        // there is nothing to stop
    }
}
