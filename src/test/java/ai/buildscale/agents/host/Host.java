package ai.buildscale.agents.host;

import ai.buildscale.agents.testing.Api;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** A host of agents outside the service, as the tests play it. */
public record Host(Api api, String id) {
    /** A host of this user, who is in the group. */
    public static Host register(Api user, String more) {
        JsonNode made =
                user.post("/agent-hosts", "{\"name\":\"h\"" + more + "}").expect(201);
        return new Host(user, made.at("/host/id").asText());
    }

    public String path() {
        return "/agent-hosts/" + id;
    }

    /** What it is given within that many seconds. */
    public List<JsonNode> ask(int wait, int limit) {
        List<JsonNode> work = new ArrayList<>();
        api.post(path() + "/work?wait=" + wait, "{\"limit\":" + limit + "}")
                .expect(200)
                .get("work")
                .forEach(work::add);
        return work;
    }

    /** The same at once, where it says what it has. */
    public List<JsonNode> ask(List<JsonNode> has) {
        List<JsonNode> work = new ArrayList<>();
        String turns = has.stream()
                .map(one -> "{\"turn_id\":" + one.get("turn_id") + ",\"epoch\":" + one.get("epoch") + "}")
                .collect(Collectors.joining(","));
        api.post(path() + "/work?wait=0", "{\"turns\":[" + turns + "]}")
                .expect(200)
                .get("work")
                .forEach(work::add);
        return work;
    }

    /** The one turn that it is given. */
    public JsonNode next() {
        List<JsonNode> work = ask(20, 1);
        if (work.size() != 1) {
            throw new AssertionError("no work: " + work);
        }
        return work.getFirst();
    }

    private String turn(JsonNode work) {
        return path() + "/turns/" + work.get("turn_id").asText();
    }

    /** @param events as they stand between the brackets */
    public Api.Reply tell(JsonNode work, String events) {
        return api.post(turn(work) + "/events", "{\"epoch\":" + work.get("epoch") + ",\"events\":[" + events + "]}");
    }

    public Api.Reply tell(JsonNode work, int seq, String events) {
        return api.post(
                turn(work) + "/events",
                "{\"epoch\":" + work.get("epoch") + ",\"seq\":" + seq + ",\"events\":[" + events + "]}");
    }

    public static String chunk(String text) {
        return "{\"event\":\"chunk\",\"text\":\"" + text + "\"}";
    }

    /** @param more fields beside the epoch and the outcome, with a comma before each */
    public Api.Reply result(JsonNode work, String outcome, String more) {
        return api.post(
                turn(work) + "/result",
                "{\"epoch\":" + work.get("epoch") + ",\"outcome\":\"" + outcome + "\"" + more + "}");
    }

    /** What it learns of the turn from a heartbeat. */
    public JsonNode beat(JsonNode work) {
        return api.post(
                        path() + "/heartbeat",
                        "{\"turns\":[{\"turn_id\":" + work.get("turn_id") + ",\"epoch\":" + work.get("epoch") + "}]}")
                .expect(200)
                .at("/turns/0");
    }

    public String wanted(JsonNode work) {
        return beat(work).get("desired_status").asText();
    }
}
