package ai.buildscale.agents.chaos;

import ai.buildscale.agents.testing.Api;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * People who talk to agents while the fleet fails: each says the next thing when the last is answered. Afterwards each
 * message that was accepted must have been answered, whole and once, and what its turn did must have been done.
 */
final class Talkers implements AutoCloseable {
    private static final int COUNT = 6;
    private static final Duration ANSWERED_WITHIN = Duration.ofSeconds(60);
    private static final String WORDS = "ab ".repeat(60);

    private final Fleet fleet;
    private final Api owner;
    private final String workspace;
    private final Duration patience;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Future<?>> talking = new ArrayList<>();
    /** What must be answered, by the message's id; null until it is known what. */
    private final Map<String, String> expected = new ConcurrentHashMap<>();

    private final List<String> chats = new ArrayList<>();
    private volatile boolean done;

    private Talkers(Fleet fleet, Api owner, Duration patience) {
        this.fleet = fleet;
        this.owner = owner;
        this.patience = patience;
        this.workspace = owner.newWorkspace();
    }

    static Talkers start(Fleet fleet, Api owner, Scale scale, long seed) {
        Talkers talkers = new Talkers(fleet, owner, scale.patience());
        for (int i = 0; i < COUNT; i++) {
            Client client = talkers.client(seed + i);
            String chat = client.send("POST", "/workspaces/" + talkers.workspace + "/chats", "{}")
                    .expect(201)
                    .get("chat_id")
                    .asText();
            talkers.chats.add(chat);
            talkers.talking.add(talkers.threads.submit(() -> talkers.talk(client, chat)));
        }
        return talkers;
    }

    private Client client(long seed) {
        return new Client(fleet, owner.within(patience), new Random(seed), new Client.Trouble());
    }

    private String path(String chat) {
        return "/workspaces/" + workspace + "/chats/" + chat;
    }

    private void talk(Client client, String chat) {
        for (int i = 0; !done; i++) {
            String content = "/delay 3ms\\n/call note {}\\n/repeat 60 ab \\n/say the end of " + i;
            String message = client.send("POST", path(chat), "{\"content\":\"" + content + "\"}")
                    .expect(202)
                    .get("message_id")
                    .asText();
            expected.put(message, "the end of " + i);
            Instant deadline = Instant.now().plus(ANSWERED_WITHIN);
            while (!isAnswered(client, chat, "the end of " + i)) {
                if (Instant.now().isAfter(deadline)) {
                    throw new AssertionError("message " + message + " in chat " + chat + " is not answered: "
                            + client.send("GET", path(chat) + "?limit=10", (String) null)
                                    .text());
                }
                client.pause(100);
            }
        }
    }

    private boolean isAnswered(Client client, String chat, String end) {
        JsonNode last = client.send("GET", path(chat) + "?limit=1", (String) null)
                .expect(200)
                .at("/messages/0");
        return last.path("kind").asText().equals("assistant")
                && last.path("content").asText().endsWith(end);
    }

    void stop() throws ExecutionException, InterruptedException {
        done = true;
        for (Future<?> one : talking) {
            one.get();
        }
    }

    int exchanges() {
        return expected.size();
    }

    /** What is wrong. */
    List<String> broken() {
        List<String> wrong = new ArrayList<>();
        for (String chat : chats) {
            Map<String, List<JsonNode>> turns = new LinkedHashMap<>();
            history(chat)
                    .forEach(message -> turns.computeIfAbsent(
                                    message.get("turn_id").asText(), _ -> new ArrayList<>())
                            .add(message));
            turns.forEach((turn, messages) -> judge(turn, messages, wrong));
        }
        return wrong;
    }

    private void judge(String turn, List<JsonNode> messages, List<String> wrong) {
        List<JsonNode> said = of("user", messages);
        List<JsonNode> answers = of("assistant", messages);
        List<String> calls = of("call", messages).stream()
                .map(call -> call.at("/data/call_id").asText())
                .distinct()
                .toList();
        String end = said.size() == 1 ? expected.get(said.getFirst().get("id").asText()) : null;
        boolean whole = end != null
                && answers.size() == 1
                && answers.getFirst().get("content").asText().equals(WORDS + "\n" + end)
                && calls.equals(List.of(turn + ":0"))
                && of("observation", messages).size() == 1;
        if (!whole) {
            wrong.add("turn " + turn + " is not as it should be: " + messages);
        }
    }

    private static List<JsonNode> of(String kind, List<JsonNode> messages) {
        return messages.stream()
                .filter(message -> message.get("kind").asText().equals(kind))
                .toList();
    }

    private List<JsonNode> history(String chat) {
        Api reader = owner.at(fleet.ready());
        List<JsonNode> all = new ArrayList<>();
        String before = "";
        while (before != null) {
            JsonNode page = reader.get(path(chat) + "?limit=500" + before).expect(200);
            List<JsonNode> messages = new ArrayList<>();
            page.get("messages").forEach(messages::add);
            all.addAll(0, messages);
            before = page.get("next_before").isNull()
                    ? null
                    : "&before=" + page.get("next_before").asText();
        }
        return all;
    }

    @Override
    public void close() {
        done = true;
        threads.close();
    }
}
