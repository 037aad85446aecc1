package ai.buildscale.agents.bench;

import java.io.IOException;
import java.sql.SQLException;

/**
 * One size of {@link GrowthRow}: a database with so many live sessions, and the service that hosts them. The first
 * workspace has half of them; the others have a page each, and so there are more of them at a larger size.
 *
 * @param smallWorkspaces those with a page each; their numbers follow that of the first
 * @param server the service's id
 * @param backend a connection beside the service's
 */
record GrowthSize(
        int sessions, int smallWorkspaces, String database, PackagedService service, String server, Backend backend)
        implements AutoCloseable {
    /** The sessions of a small workspace. */
    static final int PAGE = 20;

    private static final String HEAP = "-Xmx1g";

    static GrowthSize open(Lab lab, int sessions) throws IOException, SQLException {
        int small = sessions / 2 / PAGE;
        String database = lab.newDatabase(name(sessions));
        PackagedService service = lab.service(database, HEAP);
        try {
            String workspace =
                    "case n %% 2 when 0 then %1$d else %1$d + 1 + n / 2 %% %2$d end".formatted(Lab.FIRST, small);
            Lab.fill(database, 1 + small, workspace, sessions, "server", "idle");
            String server = Lab.string(database, "select id from servers");
            return new GrowthSize(sessions, small, database, service, server, new Backend(database));
        } catch (SQLException e) {
            service.close();
            throw e;
        }
    }

    /** What its database is called. */
    static String name(int sessions) {
        return "bench_growth_" + sessions;
    }

    @Override
    public void close() throws SQLException {
        service.close();
        backend.close();
    }

    /** The sessions, as figures are written. */
    @Override
    public String toString() {
        return Report.thousands(sessions);
    }
}
