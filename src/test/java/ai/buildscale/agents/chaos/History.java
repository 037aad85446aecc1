package ai.buildscale.agents.chaos;

import ai.buildscale.agents.testing.Api;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * One session's events, walked from the first to the last: every rule of the lifecycle, of ownership and of commands
 * that they break is said in a line of its own.
 */
final class History {
    private static final Map<String, Set<String>> LIFECYCLE = Map.of(
            "idle", Set.of("running", "paused", "cancelled"),
            "running", Set.of("idle", "paused", "completed", "cancelled", "error"),
            "paused", Set.of("idle", "running", "completed", "cancelled"),
            "completed", Set.of(),
            "cancelled", Set.of(),
            "error", Set.of());

    private final Workload.Created session;
    private final List<JsonNode> events;
    private final JsonNode now;
    private final List<String> broken = new ArrayList<>();
    /** The status from each version on. */
    private final NavigableMap<Long, String> statuses = new TreeMap<>();

    private final Map<Long, String> tasks = new HashMap<>();
    private final Map<Long, String> owners = new HashMap<>();
    private final Map<String, String> commands = new HashMap<>();
    private final Set<String> deliveries = new HashSet<>();
    private long position;
    private long version;
    private long epoch = 1;
    private long fencedAt;
    private String status;

    private History(Workload.Created session, List<JsonNode> events, JsonNode now) {
        this.session = session;
        this.events = events;
        this.now = now;
    }

    static History read(Api api, Workload.Created session) {
        return of(session, api.history(session.id()), api.session(session.id()));
    }

    /** @param now the session as it is after these events */
    static History of(Workload.Created session, List<JsonNode> events, JsonNode now) {
        History history = new History(session, events, now);
        history.walk();
        return history;
    }

    /** In order, as the API tells them. */
    List<JsonNode> events() {
        return events;
    }

    boolean isLive() {
        return !now.get("is_terminal").asBoolean();
    }

    /** Who owns it now; null for sessions that are hosted outside. */
    String owner() {
        return now.get("server_id").asText(null);
    }

    /** What is wrong, with the acknowledged changes that are not there. */
    List<String> broken(List<Workload.Change> acknowledged) {
        List<String> all = new ArrayList<>(broken);
        for (Workload.Change change : acknowledged) {
            if (change.version() > version) {
                all.add(at("lost " + change));
            } else if (!Objects.equals(statuses.floorEntry(change.version()).getValue(), change.status())) {
                all.add(at("tells another status than " + change));
            } else if (change.task() != null && !change.task().equals(tasks.get(change.version()))) {
                all.add(at("tells another task than " + change));
            }
        }
        return all;
    }

    private String at(String what) {
        return "session " + session.id() + " epoch " + epoch + " version " + version + ": " + what;
    }

    private void require(boolean holds, String what, JsonNode event) {
        if (!holds) {
            broken.add(at(what + (event == null ? "" : " at " + event)));
        }
    }

    private void walk() {
        owners.put(1L, session.serverId());
        for (JsonNode event : events) {
            JsonNode data = event.get("data");
            require(event.get("position").asLong() > position, "positions do not ascend", event);
            position = event.get("position").asLong();
            require(data.get("session_id").asText().equals(session.id()), "is told of another", event);
            switch (event.get("event").asText()) {
                case "agent_status" -> status(event, data);
                case "agent_task" -> task(event, data);
                case "agent_updated" -> next(event, data);
                case "agent_recovered", "agent_migrated" -> handedOver(event, data);
                case "agent_command" -> command(event, data);
                default -> require(false, "does not know this event", event);
            }
        }
        for (Map.Entry<String, String> command : commands.entrySet()) {
            require(isOver(command.getValue()), "command " + command.getKey() + " stays " + command.getValue(), null);
        }
        require(now.get("status").asText().equals(status), "is now " + now, null);
        require(now.get("version").asLong() == version, "is now " + now, null);
        require(now.get("epoch").asLong() == epoch, "is now " + now, null);
        require(Objects.equals(owner(), owners.get(epoch)), "should be owned by " + owners.get(epoch), null);
    }

    /** Each change is the next version. */
    private void next(JsonNode event, JsonNode data) {
        require(data.get("version").asLong() == version + 1, "versions have a gap", event);
        version = data.get("version").asLong();
    }

    private void status(JsonNode event, JsonNode data) {
        String to = data.get("status").asText();
        String from = data.get("previous_status").asText(null);
        next(event, data);
        require(data.get("epoch").asLong() == epoch, "epoch", event);
        require(Objects.equals(from, status), "previous_status is not " + status, event);
        require(from == null ? to.equals("idle") : LIFECYCLE.get(from).contains(to), "an illegal move", event);
        require(
                session.silent() || !data.get("reason").asText("").equals("stale"),
                "went stale, but was not silent",
                event);
        status = to;
        statuses.put(version, to);
    }

    /** It comes after the status that it was set with, or is a change by itself. */
    private void task(JsonNode event, JsonNode data) {
        long told = data.get("version").asLong();
        require(told == version || told == version + 1, "versions have a gap", event);
        version = told;
        tasks.put(version, data.get("task").asText());
    }

    private void handedOver(JsonNode event, JsonNode data) {
        String from = data.get("from_server_id").asText();
        String to = data.get("server_id").asText();
        next(event, data);
        require(session.hosted(), "was handed over, but is hosted outside", event);
        require(data.get("status").asText().equals(status), "status is not " + status, event);
        require(!LIFECYCLE.get(status).isEmpty(), "was handed over after its end", event);
        require(from.equals(owners.get(epoch)), "was taken from another than " + owners.get(epoch), event);
        require(!from.equals(to), "was handed over to its owner", event);
        nextEpoch(event, data, to);
    }

    private void nextEpoch(JsonNode event, JsonNode data, String owner) {
        require(data.get("epoch").asLong() == epoch + 1, "epoch is not the next one", event);
        epoch = data.get("epoch").asLong();
        owners.put(epoch, owner);
    }

    /** Commands go from accepted to delivered (anew at each owner) to applied or rejected, each by the owner. */
    private void command(JsonNode event, JsonNode data) {
        String id = data.get("command_id").asText();
        String state = data.get("state").asText();
        String before = commands.put(id, state);
        require(session.hosted(), "was commanded, but is hosted outside", event);
        require(before == null == state.equals("accepted"), "command was " + before, event);
        require(before == null || !isOver(before), "command was over", event);
        require(!state.equals("delivered") || deliveries.add(id + epoch), "delivered to this owner before", event);
        if (data.get("fenced").asBoolean()) {
            fenced(event, data, state);
        } else {
            require(data.get("epoch").asLong() == epoch, "command of another epoch", event);
            require(
                    data.get("server_id").asText().equals(owners.get(epoch)),
                    "command by another than " + owners.get(epoch),
                    event);
        }
    }

    /** An owner that does not carry out the commands of an ended session loses it: all that are open, by one epoch. */
    private void fenced(JsonNode event, JsonNode data, String state) {
        require(LIFECYCLE.get(status).isEmpty() && state.equals("applied"), "was fenced before its end", event);
        if (data.get("epoch").asLong() != fencedAt) {
            version++;
            nextEpoch(event, data, owners.get(epoch));
            fencedAt = epoch;
        }
    }

    private static boolean isOver(String state) {
        return state.equals("applied") || state.equals("rejected");
    }
}
