package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.OpenApi.Operation;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Where to find what was made: a path, whatever the way to here was called. */
class LocationIT {
    private static final Service SERVICE = Service.shared();
    private static final OpenApi DOCUMENT = OpenApi.of(SERVICE);
    private static final Api USER = Api.user(SERVICE, "agent-host");
    private static final String WORKSPACE = USER.newWorkspace();

    static Stream<Operation> whatMakes() {
        return DOCUMENT.operations().stream()
                .filter(operation -> operation.method().equals("POST")
                        && DOCUMENT.document()
                                .at("/paths")
                                .path(operation.path())
                                .at("/post/responses")
                                .has("201"));
    }

    @ParameterizedTest
    @MethodSource("whatMakes")
    void isAPathWhateverTheHostIsCalled(Operation operation) {
        String body = operation.path().endsWith("/members")
                ? "{\"user_id\":\"" + UUID.randomUUID() + "\",\"role\":\"viewer\"}"
                : DOCUMENT.sample(operation.body()).toString();
        String path = operation.path(_ -> WORKSPACE);
        String request = String.join(
                "\r\n",
                "POST " + path + " HTTP/1.1",
                "Host: internal.example:8443",
                "X-Forwarded-Host: evil.example",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Prefix: /elsewhere",
                "Forwarded: host=evil.example;proto=https",
                "Authorization: Bearer " + USER.token(),
                "Content-Type: application/json",
                "Content-Length: " + body.getBytes(StandardCharsets.UTF_8).length,
                "Idempotency-Key: location of " + path,
                "",
                body);

        Api.Reply first = RawHttp.send(SERVICE, request);
        Api.Reply again = RawHttp.send(SERVICE, request);

        first.expect(201);
        String location = first.header("location");
        assertThat(location).matches("/api/v1(/[a-z-]+/[0-9a-f-]{36})+");
        assertThat(again.header("location")).isEqualTo(location);
        if (!operation.path().endsWith("/members")) {
            USER.get(location).expect(200);
        }
    }
}
