package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;

/**
 * Decides what a caller may do in a workspace. A workspace is for its members, by role; a session for its owner, by
 * {@link Permission}; the group {@code admin} may everything. What does not exist is 404, what exists and is not yours
 * is 403.
 */
@ApplicationScoped
public class Access {
    private static final String ROLE = """
            select m.role from workspaces w
            left join workspace_members m on m.workspace_id = w.id and m.user_id = $2
            where w.id = $1""";

    private final Database database;

    Access(Database database) {
        this.database = database;
    }

    /**
     * The caller's role in the workspace ({@code OWNER} for the platform's admins), if it includes the needed one.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    public Uni<Role> require(Caller caller, UUID workspaceId, Role needed) {
        return require(database, caller, workspaceId, needed);
    }

    /** The same within a transaction: a second connection, asked for while one is held, may never come. */
    public static Uni<Role> require(Db db, Caller caller, UUID workspaceId, Role needed) {
        return db.row(ROLE, workspaceId, caller.userId()).map(row -> judge(caller, row, needed));
    }

    private static Role judge(Caller caller, Row row, Role needed) {
        return judge(caller, row != null, row == null ? null : row.getString(0), needed);
    }

    /**
     * The same for a statement that has read the facts itself.
     *
     * @param role as the members' table has it; null for a stranger
     */
    public static Role judge(Caller caller, boolean exists, String role, Role needed) {
        if (!exists) {
            throw Problem.notFound("The workspace");
        }
        if (caller.isAdmin()) {
            return Role.OWNER;
        }
        if (role == null) {
            throw Problem.forbidden("You are not a member of this workspace");
        }
        Role actual = WireEnum.known(Role.class, role);
        if (actual == null || !actual.includes(needed)) {
            throw Problem.forbidden("This needs the role " + needed + "; yours is " + role);
        }
        return actual;
    }

    /** Whose roles a statement asks for: null for a caller who may everything in every workspace. */
    public static UUID limitedTo(Caller caller) {
        return caller.isAdmin() ? null : caller.userId();
    }
}
