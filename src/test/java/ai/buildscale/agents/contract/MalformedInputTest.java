package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.aMapWithSize;
import static org.junit.jupiter.api.Assertions.assertAll;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.OpenApi.Operation;
import ai.buildscale.agents.testing.OpenApi.Parameter;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import io.restassured.specification.RequestSpecification;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Everything that a client can get wrong in a body, a path or a query, for every operation, field and parameter of the
 * OpenAPI document: a 400 at once that names the field, and nothing has changed.
 */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class MalformedInputTest {
    /** What the contract says that no body may set, and a few that nobody has heard of. */
    private static final List<String> FOREIGN = List.of(
            "server_id",
            "epoch",
            "user_id",
            "status",
            "id",
            "version",
            "workspace_id",
            "created_at",
            "is_terminal",
            "agentType",
            "NAME",
            "__proto__");

    private static final String HERE = "@@here@@";
    private static final String NUL = "\"a\\u0000b\"";

    /** How UTF-8 and JSON strings go wrong; raw bytes as Latin-1 characters. */
    private static final List<String> BAD_TEXT = List.of(
            NUL,
            "\"\\u0000\"",
            "\"a\\ud800\"",
            "\"\\udc00b\"",
            "\"\\udc00\\ud800\"",
            "\"\\ud800\\ud800\"",
            "\"\u00ff\"",
            "\"a\u00c0\u0080\"",
            "\"\u00ed\u00a0\u0080\"",
            "\"\u00ed\u00a0\u0081\u00ed\u00b0\u0080\"",
            "\"\u00e2\u0082\"",
            "\"\u00e9\"",
            "\"\u00f5\u0080\u0080\u0080\"",
            "\"\u0001\"",
            "\"a\nb\"",
            "\"\\u00\"",
            "\"\\x41\"");

    private final OpenApi document = OpenApi.of(Service.ofQuarkus());
    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();
    private final JsonNode session = owner.newSession(workspace);

    private String state() {
        return Postgres.query(PostgresResource.database(), """
                        select md5(concat(
                            (select string_agg(w::text, '|' order by w.id) from workspaces w where created_by = '%1$s'),
                            (select string_agg(m::text, '|' order by m.user_id) from workspace_members m
                             where workspace_id = '%2$s'),
                            (select string_agg(s::text, '|' order by s.id) from agent_sessions s
                             where workspace_id = '%2$s'),
                            (select count(*) from events where workspace_id = '%2$s'),
                            (select count(*) from idempotency_keys where user_id = '%1$s'),
                            (select count(*) from stream_tokens where user_id = '%1$s'))) as state""".formatted(owner.userId(), workspace))
                .getFirst()
                .get("state")
                .toString();
    }

    private String before;

    @BeforeEach
    void remember() {
        before = state();
    }

    @AfterEach
    void nothingHasChanged() {
        assertThat(state()).isEqualTo(before);
        assertThat(Service.ofQuarkus().statusOf("/q/health/ready")).isEqualTo(200);
    }

    private String path(Operation operation) {
        return operation.path(name -> switch (name) {
            case "workspaceId" -> workspace;
            case "id" -> session.get("id").asText();
            case "chatId" -> session.get("chat_id").asText();
            case "userId" -> owner.userId().toString();
            case "commandId", "hostId", "turnId" -> UUID.randomUUID().toString();
            default -> throw new AssertionError("a path parameter that this test does not know: " + name);
        });
    }

    private Stream<Operation> withBody() {
        return document.operations().stream().filter(operation -> operation.body() != null);
    }

    private static byte[] bytes(String latin1) {
        return latin1.getBytes(StandardCharsets.ISO_8859_1);
    }

    private Response send(Operation operation, String path, byte[] body) {
        RequestSpecification request = owner.given().baseUri(owner.service().url(""));
        return (body == null ? request : request.body(body)).request(operation.method(), path);
    }

    /** The fields that it blames. Not by REST Assured's paths, which it compiles anew for each of thousands of answers. */
    private static Set<String> blamed(Response reply) {
        JsonNode problem = Api.Reply.of(reply).expectProblem(400, "VALIDATION_ERROR");
        return problem.path("fields").properties().stream()
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    /** @param blamed the one field that is at fault, or, where no field can be told, {@code body} */
    private void refused(Operation operation, String body, Predicate<String> blamed) {
        Response reply = send(operation, path(operation), bytes(body));
        assertThat(blamed(reply))
                .as("%s for %s", reply.asString(), shortened(body))
                .isNotEmpty()
                .allMatch(blamed);
    }

    private static <T> void all(List<T> values, Consumer<T> check) {
        assertThat(values).isNotEmpty();
        assertAll(values.stream().map(value -> () -> check.accept(value)));
    }

    private static String shortened(String text) {
        return text.length() <= 200 ? text : text.substring(0, 200) + "…";
    }

    private static String text(JsonNode json) {
        try {
            return Api.JSON.writeValueAsString(json);
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * A field of a request.
     *
     * @param body the request with {@link #HERE} in the field's place
     */
    private record Field(
            Operation operation, String name, JsonNode schema, String type, boolean required, String body) {
        String with(String value) {
            return body.replace("\"" + HERE + "\"", value);
        }

        @Override
        public String toString() {
            return name + " of " + operation;
        }
    }

    private Stream<Field> fields() {
        return withBody().flatMap(operation -> {
            List<Field> fields = new ArrayList<>();
            ObjectNode body = document.sample(operation.body()).deepCopy();
            collect(operation, operation.body(), body, body, "", fields);
            return fields.stream();
        });
    }

    private void collect(
            Operation operation, JsonNode schema, ObjectNode at, ObjectNode whole, String prefix, List<Field> fields) {
        schema.path("properties").properties().forEach(property -> {
            String name = property.getKey();
            JsonNode type = document.resolved(property.getValue());
            JsonNode before = at.get(name);
            at.put(name, HERE);
            boolean required = schema.path("required")
                    .valueStream()
                    .anyMatch(known -> known.asText().equals(name));
            fields.add(new Field(operation, prefix + name, type, document.type(type), required, text(whole)));
            if (document.type(type).equals("array")
                    && document.type(type.get("items")).equals("object")) {
                ArrayNode array = at.putArray(name);
                ObjectNode item = array.addObject().setAll((ObjectNode) document.sample(type.get("items")));
                collect(operation, document.resolved(type.get("items")), item, whole, prefix + name + "[0].", fields);
            }
            if (type.has("additionalProperties")) {
                at.putObject(name).put("key", HERE);
                JsonNode value = type.get("additionalProperties");
                fields.add(
                        new Field(operation, prefix + name + ".key", value, document.type(value), true, text(whole)));
            }
            if (before == null) {
                at.remove(name);
            } else {
                at.set(name, before);
            }
        });
    }

    private static List<String> badValues(Field field) {
        List<String> bad = new ArrayList<>(
                switch (field.type()) {
                    case "string" -> badStrings(field);
                    case "integer" -> badIntegers(field.schema());
                    case "object" -> List.of("5", "\"x\"", "[]", "[{}]", "true", "{\"a\":1,\"a\":2}");
                    case "boolean" -> List.of("5", "0", "\"true\"", "\"\"", "[]", "{}", "truer");
                    case "array" -> badArrays(field.schema());
                    case "any" ->
                        List.of(
                                "{\"a\":\"\\u0000\"}",
                                "{\"\\u0000\":1}",
                                "[[\"\\ud800\"]]",
                                "{\"\\ud800\":1}",
                                "{\"a\":\"\u00ff\"}",
                                "{\"a\":1,\"a\":2}",
                                "1e400",
                                "[-1e999999]",
                                "nope",
                                "NaN");
                    default -> throw new AssertionError("a type that this test does not know: " + field.schema());
                });
        if (field.required()) {
            bad.add("null");
        }
        return bad;
    }

    private static List<String> badStrings(Field field) {
        List<String> bad = new ArrayList<>(BAD_TEXT);
        bad.addAll(List.of("5", "1.5", "true", "{}", "[]", "[\"x\"]", "{\"a\":\"b\"}", "-0", "'x'", "x"));
        JsonNode schema = field.schema();
        int longest = schema.path("maxLength").asInt(field.name().startsWith("labels.") ? 255 : 10_000);
        bad.add("\"" + "x".repeat(longest + 1) + "\"");
        bad.add("\"" + "\u00f0\u009f\u0099\u0082".repeat(longest) + "\"");
        if (schema.path("format").asText().equals("uuid")) {
            String id = UUID.randomUUID().toString();
            bad.addAll(List.of(
                    "\"\"",
                    "\"abc\"",
                    "\"1-1-1-1-1\"",
                    "\"" + id + "0\"",
                    "\" " + id + "\"",
                    "\"" + id.replace('-', '0') + "\"",
                    "\"{" + id + "}\"",
                    "\"urn:uuid:" + id + "\"",
                    "\"AAAAAAAAAAAAAAAAAAAAAA==\""));
        } else if (schema.has("enum")) {
            bad.addAll(List.of(
                    "\"\"",
                    "\"nope\"",
                    "0",
                    "\"" + schema.get("enum").get(0).asText().toUpperCase(Locale.ROOT) + "\""));
        } else if (schema.has("pattern")) {
            bad.addAll(List.of("\"\"", "\" \\t\\n \""));
        }
        return bad;
    }

    private static List<String> badArrays(JsonNode schema) {
        List<String> bad = new ArrayList<>(List.of("5", "\"x\"", "{}", "true", "[null]", "[5]", "[[]]"));
        if (schema.path("minItems").asInt() > 0) {
            bad.add("[]");
        }
        return bad;
    }

    private static List<String> badIntegers(JsonNode schema) {
        List<String> bad = new ArrayList<>(List.of(
                "\"5\"",
                "\"\"",
                "\"x\"",
                "1.5",
                "1.0",
                "1e2",
                "true",
                "{}",
                "[]",
                "[5]",
                "99999999999999999999",
                "-99999999999999999999",
                "1e999999999",
                "-1e400",
                "0x10",
                "01",
                "+1",
                ".5",
                "NaN",
                "Infinity"));
        if (schema.has("minimum")) {
            bad.add(Long.toString(schema.get("minimum").asLong() - 1));
        }
        if (schema.has("maximum")) {
            bad.add(Long.toString(schema.get("maximum").asLong() + 1));
        }
        return bad;
    }

    @TestFactory
    Stream<DynamicTest> everyFieldRefusesWhatIsNotItsType() {
        return fields().map(field -> DynamicTest.dynamicTest(
                field.toString(),
                () -> all(badValues(field), value -> {
                    Predicate<String> blamed = name -> isWithin(name, field.name());
                    // what is not even JSON may be laid to whatever it stands in
                    refused(
                            field.operation(),
                            field.with(value),
                            isJson(value)
                                    ? blamed
                                    : blamed.or(name -> name.equals("body") || isWithin(field.name(), name)));
                })));
    }

    private static boolean isWithin(String name, String field) {
        return name.equals(field) || name.startsWith(field + ".") || name.startsWith(field + "[");
    }

    private static boolean isJson(String value) {
        try {
            Api.JSON.readTree(bytes(value));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @TestFactory
    Stream<DynamicTest> everyFieldRefusesEndlessDigitsAndDepth() {
        List<String> endless = List.of(
                "9".repeat(5_000),
                "-1." + "9".repeat(5_000),
                "1e" + "9".repeat(5_000),
                "[".repeat(10_000) + "]".repeat(10_000),
                "{\"a\":".repeat(10_000) + "1" + "}".repeat(10_000));
        return fields().map(field -> DynamicTest.dynamicTest(
                field.toString(),
                () -> all(
                        endless,
                        value -> refused(
                                field.operation(),
                                field.with(value),
                                name -> name.equals("body")
                                        || isWithin(name, field.name())
                                        || isWithin(field.name(), name)))));
    }

    @TestFactory
    Stream<DynamicTest> everyBodyRefusesForeignFields() {
        return withBody()
                .map(operation -> DynamicTest.dynamicTest(
                        operation.toString(),
                        () -> all(
                                FOREIGN.stream()
                                        .filter(name -> !operation
                                                .body()
                                                .get("properties")
                                                .has(name))
                                        .toList(),
                                name -> {
                                    ObjectNode body =
                                            document.sample(operation.body()).deepCopy();
                                    refused(operation, text(body.put(name, "x")), name::equals);
                                    refused(operation, text(body.putNull(name)), name::equals);
                                })));
    }

    @TestFactory
    Stream<DynamicTest> everyBodyRefusesAFieldThatAppearsTwice() {
        return fields().filter(
                        field -> !field.name().contains("[") && !field.name().contains("."))
                .map(field -> DynamicTest.dynamicTest(field.toString(), () -> {
                    String value = text(document.sample(field.schema()));
                    String once = field.with(value);
                    String twice = once.substring(0, once.length() - 1) + ",\"" + field.name() + "\":" + value + "}";
                    refused(field.operation(), twice, field.name()::equals);
                }));
    }

    @TestFactory
    Stream<DynamicTest> everyBodyIsOneJsonObject() {
        return withBody()
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> {
                    String good = text(document.sample(operation.body()));
                    List<String> bad = new ArrayList<>(List.of(
                            "[]",
                            "[" + good + "]",
                            "5",
                            "\"x\"",
                            "\"\"",
                            "true",
                            good + good,
                            good + " {}",
                            good + "x",
                            good + ",",
                            good + "\u0000",
                            good.substring(0, good.length() - 1),
                            "{",
                            "{\"",
                            "{]",
                            "}",
                            "// c\n" + good,
                            "{'a':1}",
                            "\u0000",
                            "\u00ff\u00fe",
                            "<a/>",
                            "a=b",
                            "[".repeat(10_000),
                            "[".repeat(10_000) + "]".repeat(10_000),
                            "{\"x\":".repeat(10_000) + "1" + "}".repeat(10_000),
                            "{\"" + "k".repeat(100_000) + "\":1}",
                            "{\"\\ud800\":1}",
                            "{\"\u00ff\":1}",
                            "{\"a\":1e999999999}",
                            new String(good.getBytes(StandardCharsets.UTF_16LE), StandardCharsets.ISO_8859_1),
                            new String(good.getBytes(StandardCharsets.UTF_16), StandardCharsets.ISO_8859_1)));
                    if (operation.needsBody()) {
                        bad.addAll(List.of("", " \n", "null"));
                    }
                    all(bad, body -> refused(operation, body, _ -> true));
                }));
    }

    @TestFactory
    Stream<DynamicTest> everyBodyIsSaidToBeJson() {
        return withBody()
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> {
                    byte[] good = bytes(text(document.sample(operation.body())));
                    all(
                            List.of(
                                    "text/plain",
                                    "application/xml",
                                    "application/x-www-form-urlencoded",
                                    "multipart/form-data; boundary=x",
                                    "application/octet-stream",
                                    "garbage"),
                            type -> {
                                Response reply = owner.given()
                                        .baseUri(owner.service().url(""))
                                        .contentType(type)
                                        .body(good)
                                        .request(operation.method(), path(operation));
                                Api.Reply.of(reply).expectProblem(415, "UNSUPPORTED_MEDIA_TYPE");
                            });
                }));
    }

    @TestFactory
    Stream<DynamicTest> everyPathParameterIsAnId() {
        return document.operations().stream()
                .flatMap(operation -> operation.parameters().stream()
                        .filter(Parameter::inPath)
                        .map(parameter -> DynamicTest.dynamicTest(
                                parameter.name() + " of " + operation, () -> refusesBadIds(operation, parameter))));
    }

    private void refusesBadIds(Operation operation, Parameter parameter) {
        String good = path(operation);
        String field = parameter.name().replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
        byte[] body = operation.body() == null ? null : bytes(text(document.sample(operation.body())));
        List<String> bad = List.of(
                "abc", "1-1-1-1-1", "null", "0", "%00", "%20", workspace + "x", "x".repeat(300), "%F0%9F%99%82");
        all(bad, value -> {
            String path = operation.path(name ->
                    name.equals(parameter.name()) ? value : UUID.randomUUID().toString());
            assertThat(path).isNotEqualTo(good);
            Response reply = send(operation, path, body);
            assertThat(blamed(reply)).as(reply.asString()).contains(field);
        });
        all(List.of("%ff", "%ED%A0%80", "%C0%80", "a%E2%82"), value -> {
            String path = operation.path(name -> value);
            Response reply = send(operation, path, body);
            assertThat(blamed(reply)).as(reply.asString()).contains("path");
        });
    }

    @TestFactory
    Stream<DynamicTest> everyQueryParameterIsChecked() {
        return document.operations().stream()
                .flatMap(operation -> operation.parameters().stream()
                        .filter(Parameter::inQuery)
                        .map(parameter -> DynamicTest.dynamicTest(
                                parameter.name() + " of " + operation, () -> refusesBadQueries(operation, parameter))));
    }

    private void refusesBadQueries(Operation operation, Parameter parameter) {
        List<String> bad = new ArrayList<>(List.of("%ff", "a%ED%A0%80", "%C0%80", "%E2%82"));
        String kind = document.type(parameter.schema())
                + parameter.schema().path("format").asText();
        switch (kind) {
            case "integerint32", "integerint64" ->
                bad.addAll(List.of("abc", "1e9", "1.5", "-1", "99999999999999999999", "0x10", "%201", "%00", "1,2"));
            case "stringuuid" -> bad.addAll(List.of("abc", "1-1-1-1-1", workspace + "0", "%00"));
            case "boolean" -> bad.addAll(List.of("maybe", "1", "TRUE", "%00"));
            default -> {}
        }
        bad.addAll(
                switch (parameter.name()) {
                    case "limit" -> List.of("0", "1000000000", "1001");
                    case "cursor" -> List.of("garbage", "%00", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA%3D%3D%3D", "..");
                    case "status" -> List.of("foo", "RUNNING", "%00", "running,idle", "all&status=foo");
                    case "agent_type" -> List.of("foo", "%00", "ASSISTANT");
                    case "label" ->
                        List.of("nocolon", ":v", "k%00:v", "k:%00", "-k:v", "k:" + "v".repeat(256), "k:v&label=x");
                    case "reason" -> List.of("%00", "x".repeat(1_001));
                    case "last_event_id" -> List.of("abc", "-1", "1.5", "99999999999999999999", "%00");
                    // others: nothing more; a stream token is no input of one who has a bearer token
                    default -> List.<String>of();
                });
        all(bad, value -> {
            Response reply = send(operation, path(operation) + "?" + parameter.name() + "=" + value, null);
            assertThat(blamed(reply)).as("%s: %s", value, reply.asString()).contains(parameter.name());
        });
    }

    @Test
    void aBadStreamPositionIsNamed() {
        all(List.of("abc", "-1", "99999999999999999999", "1.5"), id -> {
            Response reply = owner.given().header("Last-Event-ID", id).get("/workspaces/{id}/events", workspace);
            reply.then().spec(invalid("Last-Event-ID"));
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"labels\":{}, \"model\":null}",
                "{\"mode\":null}",
                "{\"agent_type\":null}",
                "{\"labels\":null}"
            })
    void aChangeChangesSomethingThatCanBeChanged(String body) {
        Response reply = owner.given()
                .body(body)
                .patch("/agent-sessions/{id}", session.get("id").asText());

        reply.then().spec(problem(400, "VALIDATION_ERROR")).body("fields", aMapWithSize(1));
    }

    @TestFactory
    Stream<DynamicTest> labelsAreShortAndFew() {
        ObjectNode many = Api.JSON.createObjectNode();
        for (int i = 0; i < 33; i++) {
            many.put("k" + i, "v");
        }
        Map<String, String> bad = Map.of(
                text(many),
                "labels",
                "{\"\":\"v\"}",
                "labels.",
                "{\"-k\":\"v\"}",
                "labels.-k",
                "{\"k k\":\"v\"}",
                "labels.k k",
                "{\"" + "k".repeat(64) + "\":\"v\"}",
                "labels." + "k".repeat(64),
                "{\"k\":\"" + "v".repeat(256) + "\"}",
                "labels.k");
        return withBody()
                .filter(operation -> operation.body().get("properties").has("labels"))
                .flatMap(operation -> bad.entrySet().stream()
                        .map(labels -> DynamicTest.dynamicTest(labels.getValue() + " of " + operation, () -> {
                            ObjectNode body = document.sample(operation.body()).deepCopy();
                            body.put("labels", HERE);
                            refused(
                                    operation,
                                    text(body).replace("\"" + HERE + "\"", labels.getKey()),
                                    labels.getValue()::equals);
                        })));
    }
}
