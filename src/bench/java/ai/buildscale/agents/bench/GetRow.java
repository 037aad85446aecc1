package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.WatchedProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** GET of a session by id, with a JWT, random among 10,000: against the same select behind bare Vert.x. */
final class GetRow implements Bench.Row {
    static final int CONNECTIONS = 64;
    static final int SESSIONS = 10_000;
    private static final String PATH = "/api/v1/agent-sessions/" + Lab.SESSION;
    private static final String POOL = "16";

    @Override
    public List<Peer> peers() {
        return List.of(Peer.WRK);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_get");
        int barePort = Lab.freePort();
        try (PackagedService service = lab.service(database);
                WatchedProcess bare = Lab.start("bare-get", BareGet.class, "" + barePort, database, POOL)) {
            Lab.fill(database, 16, SESSIONS, "server", "idle");
            PackagedService.awaitAnswer(bare, "http://127.0.0.1:" + barePort + PATH + Lab.FIRST);
            Path script = script(lab.token());
            Rounds rounds = Rounds.of(
                    seconds -> Peer.wrk(script, CONNECTIONS, seconds, service.url("/")),
                    seconds -> Peer.wrk(script, CONNECTIONS, seconds, "http://127.0.0.1:" + barePort + "/"));
            report.ratio(
                    "`GET` a session by id, JWT, " + CONNECTIONS + " connections; against bare Vert.x",
                    "/s",
                    rounds,
                    0,
                    1,
                    "≥ 0.45, then 0.6");
        }
    }

    /** wrk's script that reads them. */
    static Path script(String token) throws IOException {
        return Lab.script(
                "get.lua", """
                local headers = { Authorization = "Bearer {token}" }
                local requests = {}
                init = function()
                  for i = 0, {sessions} - 1 do
                    requests[i] = wrk.format("GET", "{path}" .. string.format("%.0f", {first} + i), headers)
                  end
                end
                request = function() return requests[math.random(0, {sessions} - 1)] end
                """, Map.of("token", token, "sessions", SESSIONS, "path", PATH, "first", Lab.FIRST));
    }
}
