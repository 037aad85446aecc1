package ai.buildscale.agents.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/** People who talk to many chats of one workspace and follow all of it on one stream. */
final class ChatLoad implements AutoCloseable {
    private static final int TIMEOUT_SECONDS = 30;

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final PackagedService service;
    private final String token;
    private final int chats;
    private final Semaphore[] done;
    private final AtomicLongArray firstChunk;
    private final HttpResponse<java.io.InputStream> stream;

    private ChatLoad(PackagedService service, String token, int chats) throws IOException, InterruptedException {
        this.service = service;
        this.token = token;
        this.chats = chats;
        this.done = new Semaphore[chats];
        for (int i = 0; i < chats; i++) {
            done[i] = new Semaphore(0);
        }
        this.firstChunk = new AtomicLongArray(chats);
        this.stream = http.send(
                request("/workspaces/" + Lab.WORKSPACE + Lab.FIRST + "/events")
                        .GET()
                        .build(),
                BodyHandlers.ofInputStream());
        Thread.ofVirtual().start(this::read);
    }

    /** So many chats with idle agents on the service. */
    static ChatLoad open(Lab lab, PackagedService service, String database, int chats) throws Exception {
        Lab.fill(database, 1, chats, "server", "idle");
        Lab.execute(
                database,
                "update agent_sessions set model = 'scripted', server_id = (select id from servers where lost_at is null"
                        + " and left_at is null order by id desc limit 1)");
        Lab.execute(database, """
                insert into chats (id, workspace_id, user_id, agent_type, model, mode, hosting, on_busy, last_message_id)
                select chat_id, workspace_id, user_id, agent_type, model, mode, 'server', 'enqueue', chat_id
                from agent_sessions""");
        Lab.execute(database, "analyze");
        return new ChatLoad(service, lab.token(), chats);
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(service.url("/api/v1" + path)))
                .header("Authorization", "Bearer " + token);
    }

    private void read() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8), 1 << 16)) {
            String type = "";
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("event: ")) {
                    type = line.substring(7);
                } else if (line.startsWith("data: ") && type.equals("done")) {
                    done[chatOf(line)].release();
                } else if (line.startsWith("data: ") && type.equals("chunk")) {
                    firstChunk.compareAndSet(chatOf(line), 0, System.nanoTime());
                }
            }
        } catch (IOException e) {
            // the service has stopped
        }
    }

    private static int chatOf(String data) {
        int at = data.indexOf(Lab.CHAT);
        int end = data.indexOf('"', at);
        return (int) (Long.parseLong(data.substring(at + Lab.CHAT.length(), end)) - Lab.FIRST);
    }

    private void say(int chat) throws IOException, InterruptedException {
        send(
                "/workspaces/" + Lab.WORKSPACE + Lab.FIRST + "/chats/" + Lab.CHAT + (Lab.FIRST + chat),
                "{\"content\":\"/say hello\"}",
                202);
    }

    private void send(String path, String body, int expected) throws IOException, InterruptedException {
        HttpRequest request = request(path)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = http.send(request, BodyHandlers.ofString());
        if (response.statusCode() != expected) {
            throw new IllegalStateException(path + " was answered " + response.statusCode() + " " + response.body());
        }
    }

    private void talk(int chat) throws IOException, InterruptedException {
        say(chat);
        if (!done[chat].tryAcquire(TIMEOUT_SECONDS, java.util.concurrent.TimeUnit.SECONDS)) {
            throw new IllegalStateException("no answer in chat " + chat);
        }
    }

    /** Messages a second, of which each talker sends the next when the last is answered. */
    double talk(int talkers, int seconds) throws Exception {
        return rate(talkers, seconds, chats, this::talk);
    }

    /** Pairs of start and yield a second, on sessions that no actor has to do with in between. */
    double startAndYield(int talkers, int seconds) throws Exception {
        return rate(talkers, seconds, chats, chat -> {
            String session = "/agent-sessions/" + Lab.SESSION + (Lab.FIRST + chat);
            send(session + "/start", "{}", 200);
            send(session + "/yield", "{}", 200);
        });
    }

    /** Speaks once to each chat; how many a second. */
    double talkOnce(int talkers, AtomicInteger next) throws Exception {
        long begun = System.nanoTime();
        run(talkers, _ -> {
            for (int chat = next.getAndIncrement(); chat < chats; chat = next.getAndIncrement()) {
                talk(chat);
            }
        });
        return chats / ((System.nanoTime() - begun) / 1e9);
    }

    /** From the message's being sent until the first chunk of its answer is read, in ns. */
    long firstChunk(int chat) throws Exception {
        firstChunk.set(chat, 0);
        long sent = System.nanoTime();
        talk(chat);
        return firstChunk.get(chat) - sent;
    }

    /** What is done with one of many, by its number. */
    interface Work {
        void on(int number) throws IOException, InterruptedException;
    }

    /** How often a second it is done, by so many at once; each goes through chats of its own. */
    static double rate(int talkers, int seconds, int chats, Work each) throws Exception {
        AtomicLong count = new AtomicLong();
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        long begun = System.nanoTime();
        run(talkers, talker -> {
            for (int chat = talker; System.nanoTime() < end; chat = (chat + talkers) % (chats / talkers * talkers)) {
                each.on(chat);
                count.incrementAndGet();
            }
        });
        return count.get() / ((System.nanoTime() - begun) / 1e9);
    }

    private static void run(int talkers, Work work) throws Exception {
        List<Thread> threads = new ArrayList<>();
        List<Exception> failures = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < talkers; i++) {
            int number = i;
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    work.on(number);
                } catch (IOException | InterruptedException | RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (!failures.isEmpty()) {
            throw failures.getFirst();
        }
    }

    @Override
    public void close() throws IOException {
        stream.body().close();
        http.shutdownNow();
    }
}
