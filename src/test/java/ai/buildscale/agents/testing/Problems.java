package ai.buildscale.agents.testing;

import static org.hamcrest.Matchers.emptyOrNullString;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;

import io.restassured.builder.ResponseSpecBuilder;
import io.restassured.specification.ResponseSpecification;
import java.util.List;

/** What REST Assured expects of answers that say no. */
public final class Problems {
    private Problems() {}

    /** A well-formed problem with this status and code. */
    public static ResponseSpecification problem(int status, String code) {
        ResponseSpecBuilder problem = new ResponseSpecBuilder()
                .expectStatusCode(status)
                .expectContentType("application/problem+json")
                .expectBody("status", is(status))
                .expectBody("code", is(code));
        for (String member : List.of("type", "title", "detail", "instance", "error")) {
            problem.expectBody(member, not(emptyOrNullString()));
        }
        return problem.build();
    }

    /** A refused body or parameter; the problem says of this field what is wrong. */
    public static ResponseSpecification invalid(String field) {
        return new ResponseSpecBuilder()
                .addResponseSpecification(problem(400, "VALIDATION_ERROR"))
                .expectBody("fields.'" + field + "'", not(emptyOrNullString()))
                .build();
    }
}
