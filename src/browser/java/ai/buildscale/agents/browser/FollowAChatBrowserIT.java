package ai.buildscale.agents.browser;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The example page follows a chat through all that happens to a stream, without any code that connects again. */
class FollowAChatBrowserIT {
    private static final Path PAGE = Path.of("src/docs/examples/follow-a-chat.html");

    private static HttpServer site;
    private static Servers servers;
    private static Front front;
    private static Chromium chromium;
    private static Api owner;
    private static String workspace;
    private static String chat;
    private static Page page;
    private static int said;

    @BeforeAll
    static void start() throws IOException {
        site = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        byte[] html = Files.readAllBytes(PAGE);
        site.createContext("/", exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "text/html;charset=UTF-8");
            exchange.sendResponseHeaders(200, html.length);
            exchange.getResponseBody().write(html);
            exchange.close();
        });
        site.start();
        servers = Servers.start(
                2,
                Map.of("CORS_ORIGINS", "http://127.0.0.1:" + site.getAddress().getPort(), "events.keep-alive", "1S"));
        UUID user = UUID.randomUUID();
        owner = Api.withToken(servers.get(2), user, Tokens.of(user, Duration.ofDays(2), "admin"));
        workspace = owner.newWorkspace();
        chat = owner.post("/workspaces/" + workspace + "/chats", "{}")
                .expect(201)
                .get("chat_id")
                .asText();
        front = Front.open();
        front.leadsTo(servers.get(1));
        chromium = new Chromium();
    }

    @AfterAll
    static void stop() throws Exception {
        // what a start that failed did not come to is null
        try (AutoCloseable _ = site == null ? null : () -> site.stop(0);
                Servers _ = servers;
                Front _ = front;
                Chromium _ = chromium) {}
    }

    @Test
    void aPageWithEventSourceFollowsAChatThroughEverything() throws InterruptedException {
        page = chromium.open("http://127.0.0.1:" + site.getAddress().getPort() + "/");
        Map.of("service", front.url(), "workspace", workspace, "chat", chat, "token", owner.token())
                .forEach((name, value) -> page.locator("[name=" + name + "]").fill(value));
        page.locator("button").click();
        await().until(() -> page.locator("ol[data-after]").count() == 1);

        cutBeforeAnythingElse();
        cutAfterAnHour();
        restartOfItsServer();
        drain();
        failedTurn();
        endOfItsSession();
        tenHoursOfSilence();

        assertThat(page.locator("[role=status]").textContent()).isEqualTo("open");
        assertThat(shown()).isEqualTo(told());
    }

    /** Something is said and answered, and the page shows the answer. */
    private static void talk() {
        awaitShown(answered());
    }

    /** Something is said through the other server, and answered; the answer. */
    private static String answered() {
        String answer = "Answer " + ++said;
        owner.post("/workspaces/" + workspace + "/chats/" + chat, "{\"content\":\"/say " + answer + "\"}")
                .expect(202);
        await().until(() -> owner.get("/workspaces/" + workspace + "/chats/" + chat)
                .expect(200)
                .get("messages")
                .findValuesAsText("content")
                .contains(answer));
        return answer;
    }

    private static void awaitShown(String answer) {
        await().untilAsserted(
                        () -> assertThat(list("done").last().textContent()).contains("\"" + answer + "\""));
    }

    private static Locator list(String type) {
        return page.locator("li[data-type=" + type + "]");
    }

    private static void passes(String time) {
        Postgres.execute(
                servers.database(),
                "update stream_tokens set expires_at = expires_at - interval '" + time
                        + "', caller_expires_at = caller_expires_at - interval '" + time + "'");
        Postgres.execute(servers.database(), "update events set at = at - interval '" + time + "'");
    }

    /** The stream has its position and nothing more; what is said before the page is back must not be missing. */
    private static void cutBeforeAnythingElse() {
        assertThat(page.locator("li").count()).isZero();
        front.cut();
        talk();
    }

    private static void cutAfterAnHour() {
        passes("1 hour");
        front.cut();
        talk();
    }

    /** Its address answers nobody for a while, then a server that is not ready yet. */
    private static void restartOfItsServer() throws InterruptedException {
        front.leadsTo(null);
        servers.get(1).kill();
        String answer = answered();
        Service again = servers.launch();
        front.leadsTo(again);
        awaitShown(answer);
    }

    /** For a while its address leads to the server that has been drained, as with a proxy that has not noticed yet. */
    private static void drain() {
        owner.post("/servers/" + servers.id(3) + "/drain", "{}").expect(200);
        String answer = answered();
        await().until(() -> page.locator("[role=status]").textContent().equals("connecting again"));
        front.leadsTo(servers.get(2));
        awaitShown(answer);
    }

    private static void failedTurn() {
        owner.post("/workspaces/" + workspace + "/chats/" + chat, "{\"content\":\"/fail boom\"}")
                .expect(202);
        await().untilAsserted(
                        () -> assertThat(list("error").last().textContent()).contains("boom"));
        talk();
    }

    private static void endOfItsSession() {
        String session = owner.get("/workspaces/" + workspace + "/chats/" + chat)
                .expect(200)
                .at("/session/id")
                .asText();
        owner.delete("/agent-sessions/" + session).expect(200);
        await().untilAsserted(() ->
                assertThat(list("agent_status").last().textContent()).contains("\"cancelled\""));
        talk();
    }

    private static void tenHoursOfSilence() {
        passes("10 hours");
        front.cut();
        talk();
    }

    /** What the page shows, by position and type. */
    private static List<String> shown() {
        List<String> all = new ArrayList<>();
        for (Locator item : page.locator("li").all()) {
            all.add(item.getAttribute("data-id") + " " + item.getAttribute("data-type"));
        }
        return all;
    }

    /** What the chat's sessions tell of themselves from where the page begins. */
    private static List<String> told() {
        long begin = Long.parseLong(page.locator("ol").getAttribute("data-after"));
        JsonNode sessions = owner.get("/workspaces/" + workspace + "/agent-sessions?status=all&limit=100")
                .expect(200)
                .get("sessions");
        return StreamSupport.stream(sessions.spliterator(), false)
                .filter(session -> session.get("chat_id").asText().equals(chat))
                .flatMap(session -> owner.history(session.get("id").asText()).stream())
                .filter(event -> event.get("position").asLong() > begin)
                .sorted((a, b) -> Long.compare(
                        a.get("position").asLong(), b.get("position").asLong()))
                .map(event -> event.get("position").asText() + " "
                        + event.get("event").asText())
                .toList();
    }
}
