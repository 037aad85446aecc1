package ai.buildscale.agents.bench;

import ai.buildscale.agents.server.ServerStatements;
import ai.buildscale.agents.session.SessionStatements;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleFunction;
import java.util.function.Function;

/**
 * What a request costs as sessions grow in number: 10,000, 100,000 and a million, in a database and on a service of their
 * own. All three are up; the one that is measured works, the others rest. Then what their upkeep costs Postgres.
 */
final class GrowthRow implements Bench.Row {
    private static final int LARGEST = Integer.getInteger("bench.sessions", 1_000_000);
    private static final List<Integer> SIZES = List.of(LARGEST / 100, LARGEST / 10, LARGEST);
    private static final int READERS = 64;
    private static final int CLIENTS = Integer.getInteger("bench.clients", 32);

    /** Shorter than elsewhere, for there are fifteen sides. */
    private static final int SECONDS = Math.max(1, Rounds.SECONDS / 4);

    private static final int FIRST_WARM_UP_SECONDS = Math.max(1, Rounds.WARM_UP_SECONDS * 3 / 5);
    private static final int WARM_UP_SECONDS = Math.max(1, Rounds.WARM_UP_SECONDS / 5);

    /** So many sessions are started before the first of them yields: far more than are under way at once. */
    private static final int BLOCK = Math.min(2_000, SIZES.getFirst());
    /** From one session that changes to the next: a prime, so that each has its turn, and they lie far apart. */
    private static final int STRIDE = 104_729;

    private static final String SESSION = "/api/v1/agent-sessions/" + Lab.SESSION + "#";
    private static final String LIST = "/api/v1/workspaces/" + Lab.WORKSPACE + "#/agent-sessions";
    private static final String REACH = "≤ 1.3 ×";

    private final List<GrowthSize> sizes = new ArrayList<>();
    private String token;
    private Report report;

    @Override
    public List<Peer> peers() {
        return List.of(Peer.WRK);
    }

    /** Makes the side of one size. */
    private interface Sides {
        Rounds.Side of(GrowthSize size) throws IOException;
    }

    @Override
    public void run(Lab lab, Report figures) throws Exception {
        token = lab.token();
        report = figures;
        try {
            for (int sessions : SIZES) {
                sizes.add(GrowthSize.open(lab, sessions));
            }
            disk();
            reads();
            transitions();
            upkeep();
            silent();
            // they add sessions, so they are last
            creates();
        } finally {
            for (GrowthSize size : sizes) {
                size.close();
            }
        }
        for (int sessions : SIZES) {
            lab.dropDatabase(GrowthSize.name(sessions));
        }
    }

    private void disk() throws SQLException {
        List<String> disk = new ArrayList<>();
        for (GrowthSize size : sizes) {
            long bytes = Lab.number(size.database(), "select pg_database_size(current_database())");
            disk.add(size + " sessions: " + Report.thousands(bytes / 1e6) + " MB");
        }
        report.figure(
                "disk; half of the sessions are in one workspace, the others " + GrowthSize.PAGE
                        + " in each; requests are measured for " + SECONDS + " s a round",
                String.join(", ", disk),
                "");
    }

    private void reads() throws Exception {
        requests(
                "`GET` a session by id, any of all, " + READERS + " connections",
                FIRST_WARM_UP_SECONDS,
                size -> wrk(size, READERS, DrawnRequest.get(SESSION, Lab.FIRST, size.sessions())));
        String page = LIST + "?limit=" + GrowthSize.PAGE;
        requests(
                "list of a workspace of " + GrowthSize.PAGE + ", any of these, " + CLIENTS + " clients",
                WARM_UP_SECONDS,
                size -> wrk(size, CLIENTS, DrawnRequest.get(page, Lab.FIRST + 1, size.smallWorkspaces())));
        requests(
                "newest " + GrowthSize.PAGE + " of the workspace that has half of all, " + CLIENTS + " clients",
                WARM_UP_SECONDS,
                size -> wrk(size, CLIENTS, DrawnRequest.get(page, Lab.FIRST, 1)));
    }

    private void transitions() throws Exception {
        requests("transition with its event, " + CLIENTS + " clients", WARM_UP_SECONDS, size -> {
            Rounds.Side side = wrk(size, CLIENTS, startAndYield(size));
            return WriteRow.checked(size.database(), side);
        });
    }

    /** A block of sessions starts, the same ones yield, then the next block: alike at every size. */
    private Path startAndYield(GrowthSize size) throws IOException {
        Map<String, ?> values = Map.of(
                "token", token,
                "path", SESSION,
                "first", Lab.FIRST,
                "sessions", size.sessions(),
                "block", BLOCK,
                "stride", STRIDE);
        return Lab.script(script(size), """
                local before, start, yield, offset
                local next = -2 -- wrk asks for one request that it does not send
                init = function()
                  math.randomseed(os.time())
                  offset = math.random(0, {sessions} - 1)
                  local headers = { Authorization = "Bearer {token}" }
                  before, start = wrk.format("POST", "{path}/start", headers):match("^(.-)#(.*)$")
                  before, yield = wrk.format("POST", "{path}/yield", headers):match("^(.-)#(.*)$")
                end
                request = function()
                  next = next + 1
                  local block, turn = math.floor(next / (2 * {block})), next % (2 * {block})
                  local session = (offset + (block * {block} + turn % {block}) * {stride}) % {sessions}
                  return before .. string.format("%.0f", {first} + session) .. (turn < {block} and start or yield)
                end
                """, values);
    }

    private void creates() throws Exception {
        String json = "{\"agent_type\":\"assistant\",\"model\":\"gpt-5-mini\"}";
        String what = "create in a workspace of " + GrowthSize.PAGE + ", any of these, " + CLIENTS + " clients";
        requests(what, WARM_UP_SECONDS, size -> {
            DrawnRequest request = DrawnRequest.post(LIST, Lab.FIRST + 1, size.smallWorkspaces(), json);
            return removing(size.database(), WriteRow.checked(size.database(), wrk(size, CLIENTS, request)));
        });
    }

    /** What was created goes again, or the smallest size would soon be a larger one. */
    private static Rounds.Side removing(String database, Rounds.Side side) {
        return seconds -> {
            double rate = side.measure(seconds);
            // the service's own ids are later ones
            Lab.execute(database, """
                    with removed as (
                        delete from agent_sessions where id > '%sffffffffffff' returning workspace_id)
                    update workspace_usage u
                    set live_sessions = u.live_sessions - r.n, total_sessions = u.total_sessions - r.n
                    from (select workspace_id, count(*) as n from removed group by 1) r
                    where u.workspace_id = r.workspace_id
                    """.formatted(Lab.SESSION));
            return rate;
        };
    }

    /** What servers do over and over, however much is asked of them. Nothing is due. */
    private void upkeep() throws Exception {
        for (GrowthSize size : sizes) {
            Backend backend = size.backend();
            // or others would do a part of the work, and their time is not counted
            backend.execute("set max_parallel_workers_per_gather = 0");
            backend.prepare("renew", ServerStatements.renew());
            backend.prepare("members", ServerStatements.members());
            backend.prepare("counted", SessionStatements.count());
            backend.prepare("inactive", SessionStatements.sweepInactive());
            backend.prepare("silent", SessionStatements.sweepSilent());
        }
        // the server's own row, as the server writes it
        statement(
                "renewal of a lease",
                100,
                REACH,
                size -> "execute renew('%s', %d, %s, true, 0)"
                        .formatted(size.server(), size.sessions(), size.sessions() / 1e5));
        statement("look at the fleet, of one", 100, REACH, _ -> "execute members");
        String start = "'00000000-0000-0000-0000-000000000000'";
        statement(
                "a turn of the sweep for inactive sessions, a piece of them",
                20,
                REACH,
                _ -> "execute inactive(86400000, " + start + ", " + start + ")");
        statement(
                "count of the sessions that one server has, all of them; it may take a twentieth of the time",
                3,
                "may grow",
                size -> "execute counted('" + size.server() + "')");
    }

    /** Those that beat for themselves are read through, one narrow row each. */
    private void silent() throws Exception {
        for (GrowthSize size : sizes) {
            Lab.execute(size.database(), """
                    -- no need to look their keys up
                    set session_replication_role = replica;
                    insert into session_heartbeats (session_id) select id from agent_sessions order by id;
                    analyze session_heartbeats;
                    -- there has been no outage
                    insert into sweeps (name, started_at, finished_at) values ('hearing', '-infinity', now())
                    on conflict (name) do update set started_at = excluded.started_at
                    """);
        }
        statement(
                "sweep for silent sessions if all beat for themselves, once per interval in a fleet",
                3,
                "may grow",
                _ -> "execute silent(120000, 86400000)");
        for (GrowthSize size : sizes) {
            Lab.execute(size.database(), "truncate session_heartbeats");
        }
    }

    private void requests(String what, int warmUpSeconds, Sides sides) throws Exception {
        compare(what, rounds(warmUpSeconds, sides), rate -> Report.thousands(rate) + " /s", REACH);
    }

    private void statement(String what, int times, String reach, Function<GrowthSize, String> sql) throws Exception {
        Rounds rounds = rounds(1, size -> executed(size.backend(), sql.apply(size), times));
        compare(what + ", processor time of Postgres", rounds, rate -> Report.thousands(1e6 / rate) + " µs", reach);
    }

    private Rounds rounds(int warmUpSeconds, Sides sides) throws Exception {
        Rounds.Side[] all = new Rounds.Side[sizes.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = sides.of(sizes.get(i));
        }
        return Rounds.of(warmUpSeconds, SECONDS, all);
    }

    /** A line for each larger size, beside the smallest; the ratio is that of the costs, the inverse of the rates. */
    private void compare(String what, Rounds rounds, DoubleFunction<String> figure, String reach) {
        for (int larger = 1; larger < sizes.size(); larger++) {
            report.line(
                    what + ": " + sizes.get(larger) + " sessions; cost against " + sizes.getFirst(),
                    figure.apply(rounds.median(larger)),
                    figure.apply(rounds.median(0)),
                    rounds.ratio(0, larger) + " ×",
                    reach);
        }
    }

    private Rounds.Side wrk(GrowthSize size, int connections, DrawnRequest request) throws IOException {
        return wrk(size, connections, request.script(script(size), token));
    }

    private static Rounds.Side wrk(GrowthSize size, int connections, Path script) {
        return seconds -> Peer.wrk(script, connections, seconds, size.service().url("/"));
    }

    private static String script(GrowthSize size) {
        return "growth-" + size.sessions() + ".lua";
    }

    /** Not for a time, but so many times; how often that goes into a second of processor time. */
    private static Rounds.Side executed(Backend backend, String sql, int times) {
        return _ -> {
            double micros = backend.microsOnce(() -> {
                for (int i = 0; i < times; i++) {
                    backend.execute(sql);
                }
            });
            return 1e6 * times / micros;
        };
    }
}
