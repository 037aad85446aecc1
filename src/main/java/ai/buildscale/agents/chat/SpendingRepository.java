package ai.buildscale.agents.chat;

import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;

/** Reads what the agents of workspaces have used. */
@ApplicationScoped
class SpendingRepository implements PanacheRepositoryBase<WorkspaceSpending, UUID> {}
