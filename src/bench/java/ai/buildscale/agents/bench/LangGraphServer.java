package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.WatchedProcess;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * LangGraph's local agent server, the edition for JavaScript, as {@code langgraphjs dev} starts it, with the smallest
 * of graphs: one node that always says the same. On loopback; it reports to nobody, and logs no requests.
 */
final class LangGraphServer implements AutoCloseable {
    /** Where npm puts it, so that the graph finds its library. */
    static final Path FOLDER = Lab.FOLDER.resolve("langgraph");

    static final String GRAPH = "agent";

    private static final Map<String, String> ENVIRONMENT = Map.of(
            "LANGGRAPH_CLI_NO_ANALYTICS", "1",
            "LANGSMITH_TRACING", "false",
            "LANGSMITH_TRACING_V2", "false",
            "LANGCHAIN_TRACING", "false",
            "LANGCHAIN_TRACING_V2", "false",
            "LOG_LEVEL", "warn");
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    /** It writes its store when it has had nothing to do for 3 s, and closes connections that were idle for 5 s. */
    private static final int REST_MILLIS = 6_000;

    private static final int QUICK_MILLIS = 50;
    private static final int QUICK_ANSWERS = 10;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final WatchedProcess process;
    private final int port;

    private LangGraphServer(WatchedProcess process, int port) {
        this.process = process;
        this.port = port;
    }

    /** Starts it empty: what an earlier run left is forgotten. */
    static LangGraphServer start() throws IOException {
        forget(FOLDER.resolve(".langgraph_api"));
        Lab.script("langgraph/graph.mjs", """
                import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";

                export const graph = new StateGraph(MessagesAnnotation)
                  .addNode("answer", () => ({ messages: [{ role: "assistant", content: "hello" }] }))
                  .addEdge("__start__", "answer")
                  .compile();
                """, Map.of());
        Lab.script("langgraph/langgraph.json", """
                { "graphs": { "{graph}": "./graph.mjs:graph" } }
                """, Map.of("graph", GRAPH));
        int port = Lab.freePort();
        Path log = Lab.log("langgraph-server");
        List<String> command = List.of(
                Peer.LANGGRAPH.path().toString(),
                "dev",
                "--no-browser",
                "--no-reload",
                "--host",
                "127.0.0.1",
                "--port",
                Integer.toString(port));
        LangGraphServer server = new LangGraphServer(
                WatchedProcess.start("TERM", log.toFile(), FOLDER.toFile(), ENVIRONMENT, List.of(), command), port);
        try {
            PackagedService.awaitAnswer(server.process, server.url("/ok"));
        } catch (IllegalStateException e) {
            server.close();
            throw new IllegalStateException("LangGraph's server did not start, see " + log, e);
        }
        return server;
    }

    private static void forget(Path store) throws IOException {
        if (Files.exists(store)) {
            try (Stream<Path> files = Files.list(store)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    String url(String path) {
        return "http://127.0.0.1:" + port + path;
    }

    JsonNode get(String path) throws IOException, InterruptedException {
        return read(HttpRequest.newBuilder(URI.create(url(path))).GET());
    }

    JsonNode post(String path, String body) throws IOException, InterruptedException {
        return read(HttpRequest.newBuilder(URI.create(url(path)))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body)));
    }

    private JsonNode read(HttpRequest.Builder request) throws IOException, InterruptedException {
        HttpResponse<String> response = http.send(request.timeout(TIMEOUT).build(), BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IllegalStateException(
                    response.request().uri() + " was answered " + response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }

    /**
     * Drops all runs and their history, but not the threads. It looks through every run it ever had for each new one,
     * and so gets slower the longer it is measured.
     */
    void forgetRuns() throws IOException, InterruptedException {
        post("/internal/truncate", "{\"runs\":true,\"checkpointer\":true}");
    }

    /** Waits until it has written its store, which stops all else in it: that is not to fall into another's turn. */
    void settle() throws IOException, InterruptedException {
        Thread.sleep(REST_MILLIS);
        int quick = 0;
        while (quick < QUICK_ANSWERS) {
            long asked = System.nanoTime();
            get("/ok");
            quick = System.nanoTime() - asked < QUICK_MILLIS * 1_000_000L ? quick + 1 : 0;
            Thread.sleep(100);
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
        process.close();
    }
}
