package ai.buildscale.agents.deploy;

import io.fabric8.kubernetes.api.model.Probe;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Asks a server again and again as the orchestrator does, and counts what it is answered; one asks for one probe. */
final class Probing implements AutoCloseable {
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    private final Probe probe;
    private final HttpRequest request;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    private int passed;
    private int failedInARow;
    private boolean failed;

    private Probing(Probe probe, int port) {
        this.probe = probe;
        this.request = request(probe, port);
    }

    static Probing start(Probe probe, int port) {
        Probing probing = new Probing(probe, port);
        var _ = probing.clock.scheduleAtFixedRate(probing::ask, 0, probe.getPeriodSeconds(), TimeUnit.SECONDS);
        return probing;
    }

    /** Whether it passes now. */
    static boolean passes(Probe probe, int port) throws InterruptedException {
        return passes(request(probe, port));
    }

    private static HttpRequest request(Probe probe, int port) {
        return HttpRequest.newBuilder(URI.create(
                        "http://127.0.0.1:" + port + probe.getHttpGet().getPath()))
                .timeout(Duration.ofSeconds(probe.getTimeoutSeconds()))
                .build();
    }

    private static boolean passes(HttpRequest request) throws InterruptedException {
        try {
            return HTTP.send(request, BodyHandlers.discarding()).statusCode() / 100 == 2;
        } catch (IOException e) {
            // it does not listen yet, or took too long
            return false;
        }
    }

    private void ask() {
        try {
            count(passes(request));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized void count(boolean answered) {
        if (answered) {
            passed++;
            failedInARow = 0;
        } else {
            failedInARow++;
            failed |= failedInARow >= probe.getFailureThreshold();
        }
    }

    synchronized int passed() {
        return passed;
    }

    /** Whether it failed so often in a row that the orchestrator would have acted. */
    synchronized boolean hasFailed() {
        return failed;
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
