package ai.buildscale.agents.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.awaitility.Awaitility;

/** A client of an event stream, as EventSource is one; reads on a thread of its own. */
public final class SseStream implements AutoCloseable {
    /** @param data the event's JSON */
    public record Event(String id, String type, JsonNode data) {
        public String text(String field) {
            return data.path(field).asText();
        }
    }

    private final HttpResponse<InputStream> response;
    private final ApiContract contract;
    private final List<Event> events = new CopyOnWriteArrayList<>();
    private final List<String> comments = new CopyOnWriteArrayList<>();
    private final List<String> undocumented = new CopyOnWriteArrayList<>();
    private volatile Event opened;
    private volatile String firstLine;
    private volatile String retry;
    private volatile boolean ended;

    private SseStream(HttpResponse<InputStream> response, ApiContract contract) {
        this.response = response;
        this.contract = contract;
    }

    static SseStream open(HttpRequest request, ApiContract contract) {
        try {
            SseStream stream =
                    new SseStream(Api.HTTP.send(request, HttpResponse.BodyHandlers.ofInputStream()), contract);
            // what is refused is a problem in JSON
            if (stream.status() == 200) {
                Thread.ofVirtual().start(stream::read);
            } else {
                stream.ended = true;
            }
            return stream;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void read() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            String id = null;
            String type = "message";
            StringBuilder data = new StringBuilder();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                firstLine = firstLine == null ? line : firstLine;
                if (line.isEmpty()) {
                    if (!data.isEmpty()) {
                        take(new Event(id, type, Api.JSON.readTree(data.toString())));
                    }
                    type = "message";
                    data.setLength(0);
                } else if (line.startsWith(":")) {
                    comments.add(line);
                } else if (line.startsWith("id: ")) {
                    id = line.substring(4);
                } else if (line.startsWith("event: ")) {
                    type = line.substring(7);
                } else if (line.startsWith("data: ")) {
                    data.append(line.substring(6));
                } else if (line.startsWith("retry: ")) {
                    retry = line.substring(7);
                } else {
                    throw new AssertionError("not SSE: " + line);
                }
            }
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        } catch (IOException e) {
            // the connection was cut: the stream has ended
        } finally {
            ended = true;
        }
    }

    private void take(Event event) {
        undocumented.addAll(contract.wrongEvent(
                response.uri().getPath().endsWith("/work") ? "WorkStreamEvents" : "StreamEvents",
                event.type(),
                event.data()));
        if (event.type().equals("stream_open")) {
            opened = event;
        } else {
            events.add(event);
        }
    }

    public int status() {
        return response.statusCode();
    }

    public String header(String name) {
        return response.headers().firstValue(name).orElse(null);
    }

    /** All but what owners say of commands. */
    public List<Event> changes() {
        return events.stream()
                .filter(event -> !event.type().equals("agent_command"))
                .toList();
    }

    /** What has come, but for {@code stream_open}. */
    public List<Event> events() {
        return List.copyOf(events);
    }

    /** The {@code agent_status} events' statuses, in order. */
    public List<String> statuses() {
        return events.stream()
                .filter(event -> event.type().equals("agent_status"))
                .map(event -> event.text("status"))
                .toList();
    }

    public List<String> comments() {
        return List.copyOf(comments);
    }

    public String retry() {
        return retry;
    }

    /** The first line of all, once it has come. */
    public String firstLine() {
        return firstLine;
    }

    public List<String> ids() {
        return events.stream().map(Event::id).toList();
    }

    /** The last id read, or null. */
    public String lastId() {
        return events.isEmpty()
                ? (opened == null ? null : opened.id())
                : events.getLast().id();
    }

    /** Waits for {@code stream_open}, with which a stream begins that is live from now on. */
    public Event awaitOpen() {
        Awaitility.await().pollInterval(Duration.ofMillis(10)).until(() -> opened != null);
        return opened;
    }

    /** Waits for an event (any that has come, or will) and returns it. */
    public Event await(Predicate<Event> wanted) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(10))
                .until(() -> events.stream().anyMatch(wanted));
        return events.stream().filter(wanted).findFirst().orElseThrow();
    }

    public Event awaitStatus(String status) {
        return await(event ->
                event.type().equals("agent_status") && event.text("status").equals(status));
    }

    public void awaitCount(int count) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(30))
                .pollInterval(Duration.ofMillis(10))
                .until(() -> events.size() >= count);
    }

    public boolean isEnded() {
        return ended;
    }

    public void awaitEnd() {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(10))
                .until(() -> ended);
    }

    @Override
    public void close() {
        try {
            response.body().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!undocumented.isEmpty()) {
            throw new AssertionError("the API's document does not have this of a stream: " + undocumented);
        }
    }
}
