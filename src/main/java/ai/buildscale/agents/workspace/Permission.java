package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.platform.problem.Problem;

/**
 * A caller's permission on a session; each includes those before it. A session is its owner's, as long as the owner is
 * a member of its workspace; when the owner has left, or only views, the workspace's owners and admins may end it. The
 * group {@code admin} may everything. The statement that reads or changes a session reads the permission with it.
 */
public enum Permission {
    /** Sees the session, its history and its commands. */
    READ,
    /** Cancels it. */
    END,
    /** Commands it, changes it, beats for it. */
    CONTROL;

    private static final String OF_OWNER = SqlText.fill("""
            case when {caller}::uuid is null then 'control'
                 when s.user_id = {caller} then (
                     select case when {works} then 'control'
                                 when m.role = 'viewer' then 'read' end
                     from workspace_members m
                     where m.workspace_id = s.workspace_id and m.user_id = {caller}) end""", "works", works("m.role"));

    private static final String OF_ANYBODY = SqlText.fill("""
            coalesce({of_owner}, (
                select 'end' from workspace_members m
                where m.workspace_id = s.workspace_id and m.user_id = {caller} and m.role in ('owner', 'admin')
                    and s.user_id <> {caller}
                    and not exists (
                        select from workspace_members o
                        where o.workspace_id = s.workspace_id and o.user_id = s.user_id
                            and {works})))""", "of_owner", OF_OWNER, "works", works("o.role"));

    private static final String CONTROLLED = SqlText.fill("""
            ({caller}::uuid is null or o.user_id = {caller}
                and {works})""", "works", works(roleNow("o.workspace_id", "{caller}")));

    private static final String ENDED = SqlText.fill(
            """
            (o.user_id <> {caller} and {role} in ('owner', 'admin')
                and coalesce({owners_role} not in ('owner', 'admin', 'member'), true))""", "role", roleNow("o.workspace_id", "{caller}"), "owners_role", roleNow("o.workspace_id", "o.user_id"));

    /** Whether a member of this role works in the workspace, and does not only view; no role that only a newer server knows. */
    public static String works(String role) {
        return SqlText.fill("{role} in ('owner', 'admin', 'member')", "role", role);
    }

    /**
     * A user's role in a workspace, or null, as of the moment when a statement has its locks. A statement reads as of when it
     * began; one that has waited for a lock asks again, since a removal that was committed meanwhile counts. What takes less
     * than a millisecond was no wait: it is as good as the time between any look and its commit, and costs a tenth of the
     * statement less.
     */
    public static String roleNow(String workspace, String user) {
        String known = SqlText.fill("""
            (
                    select m.role from workspace_members m where m.workspace_id = {workspace} and m.user_id = {user})""", "workspace", workspace, "user", user);
        return roleNow(known, workspace, user);
    }

    /**
     * The same.
     *
     * @param known the role as of when the statement began
     */
    public static String roleNow(String known, String workspace, String user) {
        return SqlText.fill("""
            case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then {known}
                else role_now({workspace}, {user}) end""", "known", known, "workspace", workspace, "user", user);
    }

    /**
     * The permission on the session {@code s} in SQL, null for none; for statements that lock nothing.
     *
     * @param caller the parameter that has {@link Access#limitedTo}, as {@code $2}
     */
    public static String sql(String caller) {
        return SqlText.fill(OF_ANYBODY, "caller", caller);
    }

    /** The same, but null for all who do not own the session: for statements that are run often. */
    public static String sqlOfOwner(String caller) {
        return SqlText.fill(OF_OWNER, "caller", caller);
    }

    /**
     * Whether {@link #CONTROL} is the caller's on the session {@code o}, which the statement has locked. The role is read as
     * of now, not as of when the statement began: it may have waited for the lock, and a removal that was committed
     * meanwhile counts.
     */
    public static String controlled(String caller) {
        return SqlText.fill(CONTROLLED, "caller", caller);
    }

    /** The same of {@link #END} on another's session. */
    public static String ended(String caller) {
        return SqlText.fill(ENDED, "caller", caller);
    }

    /** Reads what the SQL has found; null stays null. */
    public static Permission of(String found) {
        return WireEnum.known(Permission.class, found);
    }

    /**
     * Refuses a caller who may not do that.
     *
     * @param actual what the caller may; null for nothing
     * @throws Problem {@code FORBIDDEN}
     */
    public static void require(Permission actual, Permission needed) {
        if (actual == null) {
            throw Problem.forbidden("Only the session's owner may do this, as a member of its workspace");
        }
        if (actual.compareTo(needed) < 0) {
            throw Problem.forbidden(
                    actual == READ
                            ? "This needs the role member; a viewer only reads the sessions that it owns"
                            : "The session's owner has left or only views: you may read and end the session, no more");
        }
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
