package ai.buildscale.agents.bench;

import ai.buildscale.agents.session.SessionStatements;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Create, and start and yield in turns: against pgbench running the very same statements on the same database. */
final class WriteRow implements Bench.Row {
    static final int CLIENTS = Integer.getInteger("bench.clients", 32);
    static final int WORKSPACES = 64;
    /** A multiple of the clients: each walks through a slice of its own, so that none waits for another's row. */
    static final int SESSIONS = 10_000 / CLIENTS * CLIENTS;

    /** As the service's connections have it: without it pgbench plans the statement anew each time, and is slower. */
    private static final String SAME_PLANS = "plan_cache_mode=force_generic_plan";

    private static final Pattern PARAMETER = Pattern.compile("\\$([0-9]+)");

    @Override
    public List<Peer> peers() {
        return List.of(Peer.WRK, Peer.PGBENCH);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_write");
        try (PackagedService service = lab.service(database)) {
            Lab.fill(database, WORKSPACES, SESSIONS, "server", "idle");
            creates(report, service, database, lab.token());
            transitions(report, service, database, lab.token());
        }
    }

    private static void creates(Report report, PackagedService service, String database, String token)
            throws Exception {
        Path lua = creating(token);
        Map<String, ?> variables = Map.of(
                "user",
                Lab.USER,
                "roles",
                "{owner,admin,member}",
                "server",
                Lab.string(database, "select id from servers"),
                "hostname",
                Lab.string(database, "select hostname from servers"),
                "none",
                "none",
                "first",
                Lab.FIRST,
                "i",
                0);
        // new ids grow, as the service's do
        Path sql = Lab.script("create.sql", """
                \\set w :first + random(0, {workspaces} - 1)
                \\set i :i + 1
                \\set n :first + (:run * 1000 + :client_id) * 10000000 + :i
                {create}
                """, Map.of("workspaces", WORKSPACES, "create", create()));
        AtomicInteger run = new AtomicInteger();
        Rounds rounds = Rounds.of(
                checked(database, seconds -> Peer.wrk(lua, CLIENTS, seconds, service.url("/"))),
                checked(database, seconds -> {
                    Map<String, Object> numbered = new HashMap<>(variables);
                    numbered.put("run", run.incrementAndGet());
                    return Peer.pgbench(database, sql, CLIENTS, seconds, numbered, SAME_PLANS);
                }));
        report.ratio("create, " + CLIENTS + " clients; against pgbench", "/s", rounds, 0, 1, "≥ 0.5");
    }

    private static String create() {
        return substitute(
                SessionStatements.create(),
                Lab.id("01990000-0000-7000-c000-", ":n"),
                Lab.id(Lab.WORKSPACE, ":w"),
                Lab.id("01990000-0000-7000-d000-", ":n"),
                ":user::uuid",
                ":roles::text[]",
                "'assistant'",
                "'gpt-5-mini'",
                "'chat'",
                unset("text"),
                "'server'",
                unset("text"),
                ":server::uuid",
                ":hostname::text",
                unset("text"),
                unset("text"),
                unset("integer"),
                unset("bigint"),
                unset("bigint"));
    }

    private static void transitions(Report report, PackagedService service, String database, String token)
            throws Exception {
        Path lua = transitioning(token);
        Path sql = Lab.script(
                "transition.sql",
                """
                \\set i :i + 1
                \\set n :first + :client_id * :slice + :i % :slice
                \\if (:i / :slice) % 2 = 0
                {start}
                \\else
                {yield}
                \\endif
                """,
                Map.of(
                        "start",
                        transition(SessionStatements.start(), ":startable", ":running"),
                        "yield",
                        transition(SessionStatements.yielding(), ":yielding", ":idle")));
        Map<String, ?> variables = Map.of(
                "user", Lab.USER,
                "startable", "{idle,paused}",
                "running", "running",
                "yielding", "{running}",
                "idle", "idle",
                "none", "none",
                "first", Lab.FIRST,
                "slice", SESSIONS / CLIENTS,
                "i", -1);
        Rounds rounds = Rounds.of(
                checked(database, seconds -> Peer.wrk(lua, CLIENTS, seconds, service.url("/"))),
                checked(database, seconds -> Peer.pgbench(database, sql, CLIENTS, seconds, variables, SAME_PLANS)));
        report.ratio(
                "transition with its event, " + CLIENTS + " clients; against pgbench", "/s", rounds, 0, 1, "≥ 0.6");
    }

    /** wrk's script that creates sessions. */
    static Path creating(String token) throws IOException {
        return Lab.script(
                "create.lua",
                """
                local headers = { Authorization = "Bearer {token}", ["Content-Type"] = "application/json" }
                local body = '{"agent_type":"assistant","model":"gpt-5-mini"}'
                local requests = {}
                init = function()
                  for i = 0, {workspaces} - 1 do
                    local path = "/api/v1/workspaces/{prefix}" .. string.format("%.0f", {first} + i) .. "/agent-sessions"
                    requests[i] = wrk.format("POST", path, headers, body)
                  end
                end
                request = function() return requests[math.random(0, {workspaces} - 1)] end
                """,
                Map.of("token", token, "workspaces", WORKSPACES, "prefix", Lab.WORKSPACE, "first", Lab.FIRST));
    }

    /** wrk's script that starts sessions, and lets them yield. */
    static Path transitioning(String token) throws IOException {
        return Lab.script(
                "transition.lua",
                """
                local headers = { Authorization = "Bearer {token}" }
                local start, yield, next = {}, {}, -2 -- wrk asks for one request that it does not send
                init = function()
                  for i = 0, {sessions} - 1 do
                    local path = "/api/v1/agent-sessions/{prefix}" .. string.format("%.0f", {first} + i)
                    start[i] = wrk.format("POST", path .. "/start", headers)
                    yield[i] = wrk.format("POST", path .. "/yield", headers)
                  end
                end
                request = function()
                  next = next + 1
                  local turn = math.floor(next / {sessions}) % 2 == 0 and start or yield
                  return turn[next % {sessions}]
                end
                """,
                Map.of("token", token, "sessions", SESSIONS, "prefix", Lab.SESSION, "first", Lab.FIRST));
    }

    private static String transition(String statement, String from, String to) {
        return substitute(
                statement,
                Lab.id(Lab.SESSION, ":n"),
                ":user::uuid",
                from + "::text[]",
                to + "::text",
                unset("text"),
                unset("text"),
                unset("text"),
                unset("text"),
                unset("bigint[]"),
                unset("uuid"),
                unset("uuid"),
                unset("bigint"),
                ":user::uuid",
                unset("text"));
    }

    /** pgbench knows no null parameter. */
    private static String unset(String type) {
        return "nullif(:none, 'none')::" + type;
    }

    /** The statement with each {@code $n} replaced, as pgbench sends it: with parameters of its own. */
    private static String substitute(String sql, String... parameters) {
        return PARAMETER
                        .matcher(sql)
                        .replaceAll(match -> Matcher.quoteReplacement(parameters[Integer.parseInt(match.group(1)) - 1]))
                + ";\n";
    }

    /** Begins with every session idle; afterwards the commands that were counted must have left their events. */
    static Rounds.Side checked(String database, Rounds.Side side) {
        return seconds -> {
            Lab.execute(database, "update agent_sessions set status = 'idle' where status = 'running'");
            long before = Lab.number(database, "select count(*) from events");
            double rate = side.measure(seconds);
            long events = Lab.number(database, "select count(*) from events") - before;
            if (events < 0.8 * rate * seconds) {
                throw new IOException(rate + "/s for " + seconds + " s left only " + events + " events");
            }
            return rate;
        };
    }
}
