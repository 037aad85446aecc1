package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Collector;
import ai.buildscale.agents.testing.Collector.Span;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a request says of where it comes from is believed of proxies that are configured, and of nobody else. */
class TrustedProxiesIT {
    private static final String PROXY = "127.0.0.1";
    private static final String STRANGER = "127.0.0.2";
    private static final String CLIENT = "203.0.113.9";

    private static Collector collector;
    private static Service service;
    private static Api user;

    @BeforeAll
    static void start() {
        collector = Collector.start();
        Map<String, String> settings = new HashMap<>(collector.settings());
        settings.put("TRUSTED_PROXIES", PROXY);
        service = Service.start(settings);
        user = Api.user(service);
    }

    @AfterAll
    static void stop() {
        service.close();
        collector.close();
    }

    /** The answer to a request that comes from this address. */
    private static String send(String from, String... headers) throws IOException {
        try (Socket socket = new Socket()) {
            socket.bind(new InetSocketAddress(InetAddress.ofLiteral(from), 0));
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral(PROXY), service.port()));
            socket.setSoTimeout(20_000);
            String request = "GET /api/v1/workspaces HTTP/1.1\r\nHost: agents.example\r\nConnection: close\r\n"
                    + "Authorization: Bearer " + user.token() + "\r\n" + String.join("\r\n", headers) + "\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Where traces say that such a request came from. */
    private static String client(String from, String forwarded) throws IOException {
        String trace = UUID.randomUUID().toString().replace("-", "");
        assertThat(send(from, forwarded, "traceparent: 00-" + trace + "-00000000000000ab-01"))
                .startsWith("HTTP/1.1 200 ");
        Servers.await().until(() -> !collector.spans(trace).isEmpty());
        Span span = collector.spans(trace).getFirst();
        return span.attributes().get("client.address");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "X-Forwarded-For: " + CLIENT,
                "X-Forwarded-For: " + CLIENT + ", 10.0.0.1",
                "Forwarded: for=" + CLIENT + ";proto=https"
            })
    void tracesTellTheClientThatAProxyNames(String forwarded) throws IOException {
        assertThat(client(PROXY, forwarded)).isEqualTo(CLIENT);
        assertThat(client(STRANGER, forwarded)).isEqualTo(STRANGER);
    }

    /** Whatever they say: it is no reason to fail. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "X-Forwarded-Proto: https|X-Forwarded-Host: dash.example",
                "X-Forwarded-Proto: nonsense|X-Forwarded-Host: a b",
                "X-Forwarded-Port: 99999|X-Forwarded-Host: [::1",
                "X-Forwarded-Port: x|X-Forwarded-For: ,,,",
                "X-Forwarded-For: |Forwarded: for=",
                "X-Forwarded-For:  , 10.0.0.1|Forwarded: proto=https;for=\" \"",
                "X-Forwarded-Prefix: /a%zz|X-Forwarded-Ssl: on",
                "Forwarded: for=\"[2001:db8::1]:4711\";proto=https|X-Forwarded-Proto: http",
                "Forwarded: nonsense|X-Forwarded-For: unknown"
            })
    void nothingThatIsForwardedIsAReasonToRefuse(String one, String other) throws IOException {
        for (String from : new String[] {PROXY, STRANGER}) {
            String answer = send(from, one, other, "Origin: https://dash.example");

            assertThat(answer).as(from).startsWith("HTTP/1.1 200 ").doesNotContain("access-control-");
        }
    }
}
