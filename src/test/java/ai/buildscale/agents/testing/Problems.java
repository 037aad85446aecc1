package ai.buildscale.agents.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.restassured.builder.ResponseSpecBuilder;
import io.restassured.specification.ResponseSpecification;
import java.util.List;
import org.hamcrest.Description;
import org.hamcrest.Matcher;
import org.hamcrest.TypeSafeMatcher;

/** What REST Assured expects of answers that say no. */
public final class Problems {
    private static final List<String> MEMBERS = List.of("type", "title", "detail", "instance", "error");

    private Problems() {}

    /** A well-formed problem with this status and code. */
    public static ResponseSpecification problem(int status, String code) {
        return problem(status, code, null);
    }

    /** A refused body or parameter; the problem says of this field what is wrong. */
    public static ResponseSpecification invalid(String field) {
        return problem(400, "VALIDATION_ERROR", field);
    }

    private static ResponseSpecification problem(int status, String code, String field) {
        return new ResponseSpecBuilder()
                .expectStatusCode(status)
                .expectContentType("application/problem+json")
                .expectBody(is(status, code, field))
                .build();
    }

    /** In one go: REST Assured compiles each path that it is given. */
    private static Matcher<String> is(int status, String code, String field) {
        return new TypeSafeMatcher<>() {
            @Override
            protected boolean matchesSafely(String body) {
                try {
                    JsonNode problem = Api.JSON.readTree(body);
                    return problem.path("status").asInt() == status
                            && problem.path("code").asText().equals(code)
                            && MEMBERS.stream()
                                    .noneMatch(member ->
                                            problem.path(member).asText().isEmpty())
                            && (field == null
                                    || !problem.path("fields")
                                            .path(field)
                                            .asText()
                                            .isEmpty());
                } catch (JsonProcessingException e) {
                    return false;
                }
            }

            @Override
            public void describeTo(Description description) {
                description
                        .appendText("a problem with the status " + status + " and the code " + code)
                        .appendText(field == null ? "" : " that says what is wrong with " + field);
            }
        };
    }
}
