package ai.buildscale.agents.bench;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Sessions got, searched, talked to and created, beside threads of LangGraph's local agent server; each side has as many,
 * with the same types and labels.
 *
 * <p>The two do not promise the same. The service checks a JWT and the caller's membership each time, and each change and
 * its event are on Postgres' disk before it answers. The peer asks nobody who they are and keeps everything in the memory
 * of one process, which it writes to a file when it has had nothing to do for 3 s; the row waits for that before the
 * other side's turn. It is the edition for JavaScript, as npm has it; the one for Python has the same API but other code,
 * and is not measured.
 *
 * <p>A message to a chat with the scripted engine is compared with a run of a graph of one node: both add what was said
 * and a fixed answer to a history. The service's people follow all chats on one stream, the peer's read a stream for each
 * run. The peer waits there by its clocks: each of its ten workers looks for runs at random intervals of up to 1 s when
 * it has none, and a stream ends 500 ms after its last event. Many people talk at once, so that such waits overlap, and
 * runs are measured a second time with the next one begun when the answer is read, not when the stream ends. It begins
 * each turn without the runs it had before, which would slow it down.
 */
final class LangGraphRow implements Bench.Row {
    private static final int CONNECTIONS = 32;
    private static final int PEOPLE = Integer.getInteger("bench.people", 256);
    private static final int SESSIONS = 10_000;
    private static final int TEAMS = 100;
    private static final int FOUND = 10;
    private static final int WORKSPACES = 64;

    @Override
    public List<Peer> peers() {
        return List.of(Peer.WRK, Peer.LANGGRAPH);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        try (LangGraphServer peer = LangGraphServer.start()) {
            JsonNode info = peer.get("/info");
            report.line(
                    "beside: LangGraph's local agent server for JavaScript, in memory, without tokens",
                    "",
                    info.get("version").asText() + ", langgraph "
                            + info.get("langgraph_js_version").asText(),
                    "",
                    "");
            String database = lab.newDatabase("bench_langgraph");
            try (PackagedService service = lab.service(database);
                    ChatLoad chats = ChatLoad.open(lab, service, database, SESSIONS);
                    LangGraphRuns runs = new LangGraphRuns(peer, SESSIONS)) {
                label(database);
                fill(peer);
                get(lab, service, peer, report);
                search(lab, service, peer, report);
                talk(chats, runs, peer, report);
            }
            lab.dropDatabase("bench_langgraph");
            database = lab.newDatabase("bench_langgraph");
            try (PackagedService service = lab.service(database)) {
                Lab.fill(database, WORKSPACES, SESSIONS, "server", "idle");
                create(lab, service, peer, report);
            }
        }
        lab.dropDatabase("bench_langgraph");
    }

    /** A hundred sessions for each team, by the last two digits of their numbers. */
    private static void label(String database) throws Exception {
        Lab.execute(
                database,
                "update agent_sessions"
                        + " set labels = jsonb_build_object('team', 'team-' || right(id::text, 2)::integer)");
        Lab.execute(database, "vacuum analyze");
    }

    /** Threads under the sessions' ids. */
    private static void fill(LangGraphServer peer) throws IOException, InterruptedException {
        for (int i = 0; i < SESSIONS; i++) {
            peer.post(
                    "/threads",
                    "{\"thread_id\":\"" + Lab.SESSION + (Lab.FIRST + i)
                            + "\",\"metadata\":{\"agent_type\":\"assistant\",\"team\":\"team-" + i % TEAMS + "\"}}");
        }
        peer.settle();
    }

    private static void get(Lab lab, PackagedService service, LangGraphServer peer, Report report) throws Exception {
        Load ours = new Load("GET", "/api/v1/agent-sessions/" + Lab.SESSION + "%.0f", "nil", Lab.FIRST, SESSIONS);
        Load theirs = new Load("GET", "/threads/" + Lab.SESSION + "%.0f", "nil", Lab.FIRST, SESSIONS);
        report.ratio(
                "`GET` a session by id, JWT; against a thread, " + CONNECTIONS + " connections",
                "/s",
                rounds(ours, theirs, lab, service, peer),
                0,
                1,
                "≥ 3");
    }

    private static void search(Lab lab, PackagedService service, LangGraphServer peer, Report report) throws Exception {
        String list = "/workspaces/" + Lab.WORKSPACE + Lab.FIRST
                + "/agent-sessions?status=idle&agent_type=assistant&limit=" + FOUND + "&label=team:team-";
        String wanted = "{\"status\":\"idle\",\"limit\":" + FOUND
                + ",\"metadata\":{\"agent_type\":\"assistant\",\"team\":\"team-%.0f\"}}";
        try (FleetApi api = new FleetApi(lab.token())) {
            requireFound(api.get(service, list + 7).get("sessions"));
        }
        requireFound(peer.post("/threads/search", wanted.replace("%.0f", "7")));
        Load ours = new Load("GET", "/api/v1" + list + "%.0f", "nil", 0, TEAMS);
        Load theirs = new Load("POST", "/threads/search", "[[" + wanted + "]]", 0, TEAMS);
        report.ratio(
                "the newest " + FOUND + " by state, type and label, of " + SESSIONS / TEAMS + " among "
                        + Report.thousands(SESSIONS) + "; against its search, " + CONNECTIONS + " connections",
                "/s",
                rounds(ours, theirs, lab, service, peer),
                0,
                1,
                "≥ 20");
    }

    private static void requireFound(JsonNode sessions) {
        if (sessions.size() != FOUND) {
            throw new IllegalStateException("not " + FOUND + " were found: " + sessions);
        }
    }

    private static void talk(ChatLoad chats, LangGraphRuns runs, LangGraphServer peer, Report report) throws Exception {
        Rounds rounds = Rounds.of(
                seconds -> chats.talk(PEOPLE, seconds),
                settled(peer, seconds -> {
                    peer.forgetRuns();
                    return runs.ended(PEOPLE, seconds);
                }),
                settled(peer, seconds -> {
                    peer.forgetRuns();
                    return runs.answered(PEOPLE, seconds);
                }));
        report.ratio(
                "message → `done` read from the stream, " + PEOPLE
                        + " people; against a run → its stream's end, which comes 500 ms after its last event",
                "/s",
                rounds,
                0,
                1,
                "≥ 20");
        report.ratio("the same; against a run → its answer read, the end not waited for", "/s", rounds, 0, 2, "");
    }

    private static void create(Lab lab, PackagedService service, LangGraphServer peer, Report report) throws Exception {
        Load ours = new Load(
                "POST",
                "/api/v1/workspaces/" + Lab.WORKSPACE + "%.0f/agent-sessions",
                "[[{\"agent_type\":\"assistant\",\"model\":\"gpt-5-mini\",\"labels\":{\"team\":\"team-7\"}}]]",
                Lab.FIRST,
                WORKSPACES);
        Load theirs = new Load(
                "POST", "/threads", "[[{\"metadata\":{\"agent_type\":\"assistant\",\"team\":\"team-7\"}}]]", 0, 1);
        report.ratio(
                "create a session, on disk with its event; against a thread, in memory, " + CONNECTIONS
                        + " connections",
                "/s",
                rounds(ours, theirs, lab, service, peer),
                0,
                1,
                "≥ 3");
    }

    private static Rounds rounds(Load ours, Load theirs, Lab lab, PackagedService service, LangGraphServer peer)
            throws Exception {
        Path our = ours.script("langgraph-service.lua", "Authorization = \"Bearer " + lab.token() + "\",");
        Path their = theirs.script("langgraph-peer.lua", "");
        return Rounds.of(
                seconds -> Peer.wrk(our, CONNECTIONS, seconds, service.url("/")),
                settled(peer, seconds -> Peer.wrk(their, CONNECTIONS, seconds, peer.url("/"))));
    }

    private static Rounds.Side settled(LangGraphServer peer, Rounds.Side side) {
        return seconds -> {
            double rate = side.measure(seconds);
            peer.settle();
            return rate;
        };
    }

    /**
     * Requests at random.
     *
     * @param path with {@code %.0f} for the number, as the body may have it
     * @param body as Lua has it
     */
    private record Load(String method, String path, String body, long first, int count) {
        Path script(String name, String authorization) throws IOException {
            return Lab.script(
                    name,
                    """
                    local headers = { {authorization} ["Content-Type"] = "application/json" }
                    local path, body = "{path}", {body}
                    local requests = {}
                    init = function()
                      for i = 0, {count} - 1 do
                        local number = {first} + i
                        requests[i] = wrk.format("{method}", path:format(number), headers, body and body:format(number))
                      end
                    end
                    request = function() return requests[math.random(0, {count} - 1)] end
                    """,
                    Map.of(
                            "authorization", authorization,
                            "method", method,
                            "path", path,
                            "body", body,
                            "first", first,
                            "count", count));
        }
    }
}
