package ai.buildscale.agents.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** People who talk to many threads of LangGraph's server: each message is a run, whose stream they read to its end. */
final class LangGraphRuns implements AutoCloseable {
    private static final int TIMEOUT_SECONDS = 60;
    private static final String MESSAGE = "{\"assistant_id\":\"" + LangGraphServer.GRAPH
            + "\",\"input\":{\"messages\":[{\"role\":\"user\",\"content\":\"/say hello\"}]},"
            + "\"stream_mode\":[\"updates\"]}";

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final LangGraphServer server;
    private final int threads;

    /** @param threads how many there are, as the row numbers them */
    LangGraphRuns(LangGraphServer server, int threads) {
        this.server = server;
        this.threads = threads;
    }

    /** Completed as its stream is read. */
    private record Run(CompletableFuture<Void> answered, CompletableFuture<Void> ended) {
        Run() {
            this(new CompletableFuture<>(), new CompletableFuture<>());
        }

        void fail(Exception e) {
            answered.completeExceptionally(e);
            ended.completeExceptionally(e);
        }
    }

    /** Runs a second, of which each talker begins the next when the stream of the last has ended. */
    double ended(int talkers, int seconds) throws Exception {
        return ChatLoad.rate(
                talkers, seconds, threads, thread -> await(begin(thread).ended()));
    }

    /** Runs a second, of which each talker begins the next when the answer of the last has been read. */
    double answered(int talkers, int seconds) throws Exception {
        return ChatLoad.rate(
                talkers, seconds, threads, thread -> await(begin(thread).answered()));
    }

    private static void await(CompletableFuture<Void> done) {
        done.orTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS).join();
    }

    private Run begin(int thread) {
        Run run = new Run();
        Thread.ofVirtual().start(() -> {
            try {
                read(thread, run);
            } catch (IOException | InterruptedException | RuntimeException e) {
                run.fail(e);
            }
        });
        return run;
    }

    private void read(int thread, Run run) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(
                        URI.create(server.url("/threads/" + Lab.SESSION + (Lab.FIRST + thread) + "/runs/stream")))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(MESSAGE))
                .build();
        HttpResponse<InputStream> response = send(request);
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            if (response.statusCode() != 200) {
                throw new IllegalStateException("a run was answered " + response.statusCode() + " " + lines.readLine());
            }
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.equals("event: updates")) {
                    run.answered().complete(null);
                } else if (line.equals("event: error")) {
                    throw new IllegalStateException("a run failed: " + lines.readLine());
                }
            }
        }
        if (!run.answered().isDone()) {
            throw new IllegalStateException("a run's stream ended without an answer");
        }
        run.ended().complete(null);
    }

    private HttpResponse<InputStream> send(HttpRequest request) throws IOException, InterruptedException {
        try {
            return http.send(request, BodyHandlers.ofInputStream());
        } catch (IOException e) {
            // the server closes a connection that was idle for 5 s, perhaps just now
            return http.send(request, BodyHandlers.ofInputStream());
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
