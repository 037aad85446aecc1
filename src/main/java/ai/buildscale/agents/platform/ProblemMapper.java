package ai.buildscale.agents.platform;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.ConstraintViolationException;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/** Turns every failure into one problem document (RFC 9457); an unexpected one is logged under an id, never shown. */
public class ProblemMapper {
    public static final String PROBLEM_JSON = "application/problem+json";
    private static final Logger LOG = Logger.getLogger(ProblemMapper.class);

    @ServerExceptionMapper
    public Response map(Problem problem, UriInfo uri) {
        Response.ResponseBuilder response =
                Response.status(problem.type().status()).type(PROBLEM_JSON).entity(problem.document(uri.getPath()));
        problem.retryAfterSeconds().ifPresent(seconds -> response.header(HttpHeaders.RETRY_AFTER, seconds));
        return response.build();
    }

    @ServerExceptionMapper
    public Response map(ConstraintViolationException e, UriInfo uri) {
        Problem problem = new Problem(
                ProblemType.VALIDATION_ERROR,
                e.getConstraintViolations().stream()
                        .map(violation -> field(violation) + " " + violation.getMessage())
                        .sorted()
                        .collect(Collectors.joining("; ")));
        e.getConstraintViolations().forEach(violation -> problem.field(field(violation), violation.getMessage()));
        return map(problem, uri);
    }

    @ServerExceptionMapper
    public Response map(JsonProcessingException e, UriInfo uri) {
        return map(unreadable(e), uri);
    }

    @ServerExceptionMapper
    public Response map(WebApplicationException e, UriInfo uri) {
        if (e.getCause() instanceof JsonProcessingException json) {
            return map(unreadable(json), uri);
        }
        int status = e.getResponse().getStatus();
        Problem problem = switch (status) {
            case 400 -> new Problem(ProblemType.VALIDATION_ERROR, "The request could not be read");
            case 404 -> Problem.notFound(uri.getPath());
            case 405 -> new Problem(ProblemType.METHOD_NOT_ALLOWED, "This path does not know the request's method");
            case 406 -> new Problem(ProblemType.NOT_ACCEPTABLE, "This path answers in application/json");
            case 413 -> new Problem(ProblemType.PAYLOAD_TOO_LARGE, "The request body is too large");
            case 415 ->
                new Problem(ProblemType.UNSUPPORTED_MEDIA_TYPE, "Send the body as Content-Type: application/json");
            default -> null;
        };
        return problem == null ? map((Throwable) e, uri) : map(problem, uri);
    }

    @ServerExceptionMapper
    public Response map(Throwable failure, UriInfo uri) {
        if (Database.isAway(failure)) {
            LOG.warnf("%s: the database is away: %s", uri.getPath(), failure.toString());
            return map(Problem.unavailable(), uri);
        }
        String id = Ids.next().toString();
        LOG.errorf(failure, "error %s on %s", id, uri.getPath());
        return map(
                new Problem(ProblemType.INTERNAL_ERROR, "Something went wrong; the log has it under " + id)
                        .with("error_id", id),
                uri);
    }

    private static Problem unreadable(JsonProcessingException e) {
        String field = e instanceof JsonMappingException mapping ? path(mapping) : "";
        if (field.isEmpty()) {
            return new Problem(
                            ProblemType.VALIDATION_ERROR,
                            e instanceof JsonMappingException
                                    ? "The body must be a JSON object of the documented form"
                                    : "The body is not well-formed JSON" + at(e))
                    .field("body", e instanceof JsonMappingException ? "must be a JSON object" : "must be JSON");
        }
        return Problem.invalid(field, complaint(e));
    }

    private static String at(JsonProcessingException e) {
        return e.getLocation() == null
                ? ""
                : " (line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr() + ")";
    }

    private static String complaint(JsonProcessingException e) {
        if (e instanceof UnrecognizedPropertyException) {
            return "is not a field of this request";
        }
        if (e.getCause() instanceof Problem text) {
            return text.getMessage();
        }
        if (e instanceof InvalidFormatException format && format.getTargetType() != null) {
            Class<?> type = format.getTargetType();
            if (type.isEnum()) {
                return "must be one of " + Wire.names(type);
            }
            return "must be a " + type.getSimpleName().toLowerCase(Locale.ROOT);
        }
        return e instanceof JsonMappingException && e.getOriginalMessage().startsWith("Duplicate field")
                ? "appears twice"
                : "has the wrong type";
    }

    private static String path(JsonMappingException e) {
        StringBuilder path = new StringBuilder();
        for (JsonMappingException.Reference step : e.getPath()) {
            if (step.getFieldName() == null) {
                path.append('[').append(step.getIndex()).append(']');
            } else {
                path.append(path.isEmpty() ? "" : ".").append(step.getFieldName());
            }
        }
        return path.toString();
    }

    /** The last steps of the violation's path, below the method and its parameter, in snake case. */
    private static String field(ConstraintViolation<?> violation) {
        String[] steps = violation.getPropertyPath().toString().split("\\.");
        String path = Arrays.stream(steps).skip(steps.length > 2 ? 2 : 1).collect(Collectors.joining("."));
        return path.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
    }
}
