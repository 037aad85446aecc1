package ai.buildscale.agents.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** Requests to one server or another; an answer other than 200 is a failure. */
final class FleetApi implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String token;

    FleetApi(String token) {
        this.token = token;
    }

    JsonNode get(PackagedService service, String path) throws IOException, InterruptedException {
        return read(http.send(request(service, path).GET().build(), BodyHandlers.ofString()));
    }

    CompletableFuture<JsonNode> post(PackagedService service, String path) {
        HttpRequest request = request(service, path)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString("{}"))
                .build();
        return http.sendAsync(request, BodyHandlers.ofString()).thenApply(FleetApi::read);
    }

    private HttpRequest.Builder request(PackagedService service, String path) {
        return HttpRequest.newBuilder(URI.create(service.url("/api/v1" + path)))
                .timeout(TIMEOUT)
                .header("Authorization", "Bearer " + token);
    }

    private static JsonNode read(HttpResponse<String> response) {
        if (response.statusCode() != 200) {
            throw new IllegalStateException(
                    response.request().uri() + " was answered " + response.statusCode() + " " + response.body());
        }
        try {
            return JSON.readTree(response.body());
        } catch (IOException e) {
            throw new IllegalStateException(response.body(), e);
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
