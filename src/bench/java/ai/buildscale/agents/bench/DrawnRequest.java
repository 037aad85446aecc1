package ai.buildscale.agents.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * A request of wrk's with a number in the place of {@code #}, any of so many. It is put together anew each time: a
 * million of them would take too much memory, and so the client does the same however many there are.
 *
 * @param body in Lua
 */
record DrawnRequest(String method, String path, long first, int count, String body) {
    static DrawnRequest get(String path, long first, int count) {
        return new DrawnRequest("GET", path, first, count, "nil");
    }

    /** @param json without an apostrophe */
    static DrawnRequest post(String path, long first, int count, String json) {
        return new DrawnRequest("POST", path, first, count, "'" + json + "'");
    }

    Path script(String name, String token) throws IOException {
        Map<String, ?> values =
                Map.of("token", token, "body", body, "method", method, "path", path, "first", first, "count", count);
        return Lab.script(name, """
                local before, after
                init = function()
                  math.randomseed(os.time()) -- or each run draws the same ones
                  local headers, body = { Authorization = "Bearer {token}" }, {body}
                  if body then headers["Content-Type"] = "application/json" end
                  local whole = wrk.format("{method}", "{path}", headers, body)
                  before, after = whole:match("^(.-)#(.*)$")
                end
                request = function()
                  return before .. string.format("%.0f", {first} + math.random(0, {count} - 1)) .. after
                end
                """, values);
    }
}
