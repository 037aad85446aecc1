package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemDocument;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.StreamRefusal;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.ConstraintViolationException;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;
import org.jboss.resteasy.reactive.server.core.CurrentRequestManager;
import org.jboss.resteasy.reactive.server.core.ResteasyReactiveRequestContext;
import org.jboss.resteasy.reactive.server.handlers.ClassRoutingHandler;

/** Turns every failure into one problem document (RFC 9457); an unexpected one is logged under an id, never shown. */
public class ProblemMapper {
    private static final Logger LOG = Logger.getLogger(ProblemMapper.class);

    @ServerExceptionMapper
    public Response map(Problem problem, UriInfo uri) {
        if (problem.passes()
                && StreamRefusal.isForStream(CurrentRequestManager.get().getMethod(), uri.getPath())) {
            return StreamRefusal.response(problem);
        }
        Response.ResponseBuilder response = Response.status(problem.type().status())
                .type(ProblemDocument.MEDIA_TYPE)
                .entity(problem.document(uri.getPath()));
        problem.retryAfterSeconds().ifPresent(seconds -> response.header(HttpHeaders.RETRY_AFTER, seconds));
        problem.challenge().ifPresent(challenge -> response.header(HttpHeaders.WWW_AUTHENTICATE, challenge));
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

    /** The same; Quarkus has a mapper for this one that answers without a word. */
    @ServerExceptionMapper
    public Response map(MismatchedInputException e, UriInfo uri) {
        return map(unreadable(e), uri);
    }

    @ServerExceptionMapper
    public Response map(WebApplicationException e, UriInfo uri) {
        if (e.getCause() instanceof JsonProcessingException json) {
            return map(unreadable(json), uri);
        }
        if (e.getCause() instanceof StrictParameters.Unreadable parameter) {
            return map(parameter.problem(uri), uri);
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
        if (problem == null) {
            return map((Throwable) e, uri);
        }
        Response response = map(problem, uri);
        return status == 405
                ? Response.fromResponse(response).allow(allowedMethods()).build()
                : response;
    }

    @ServerExceptionMapper
    public Response map(Throwable failure, UriInfo uri) {
        if (Database.isAway(failure)) {
            LOG.warnf("%s: the database is away: %s", uri.getPath(), failure.toString());
            return map(Problem.unavailable(), uri);
        }
        return map(Refusals.unexpected(uri.getPath(), failure), uri);
    }

    /** The methods that the current request's path knows: RFC 9110 wants them in a 405, Quarkus leaves them out. */
    private static Set<String> allowedMethods() {
        ResteasyReactiveRequestContext request = CurrentRequestManager.get();
        String path = request.getRemaining().isEmpty() ? "/" : request.getRemaining();
        return request.getDeployment().getClassMappers().stream()
                .flatMap(root -> Arrays.stream(root.value.handlers))
                .filter(ClassRoutingHandler.class::isInstance)
                .flatMap(routing -> ((ClassRoutingHandler) routing).getMappers().entrySet().stream())
                .filter(mapper -> mapper.getValue().map(path) != null)
                .map(Map.Entry::getKey)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Problem unreadable(JsonProcessingException e) {
        String field = e instanceof JsonMappingException mapping ? path(mapping) : place(e);
        if (!field.isEmpty()) {
            return Problem.invalid(field, complaint(e));
        }
        boolean isJson = e instanceof JsonMappingException;
        return new Problem(
                        ProblemType.VALIDATION_ERROR,
                        isJson
                                ? "The body must be one JSON object of the documented form"
                                : "The body is not well-formed JSON" + at(e))
                .field("body", isJson ? "must be one JSON object" : "must be well-formed JSON in UTF-8");
    }

    private static String at(JsonProcessingException e) {
        return e.getLocation() == null
                ? ""
                : " (line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr() + ")";
    }

    private static String complaint(JsonProcessingException e) {
        Throwable cause = e instanceof JsonMappingException && e.getCause() != null ? e.getCause() : e;
        return switch (cause) {
            case Problem text -> text.getMessage();
            case UnrecognizedPropertyException _ -> "is not a field of this request";
            case InputCoercionException _ -> "is out of range";
            case StreamConstraintsException _ -> "is too long or too deep";
            case MismatchedInputException mismatch -> expected(mismatch.getTargetType());
            case JsonProcessingException json when isDoubled(json) -> "appears twice";
            case JsonProcessingException _ -> "is not well-formed JSON in UTF-8";
            default -> "is not valid";
        };
    }

    private static boolean isDoubled(JsonProcessingException e) {
        return e.getOriginalMessage().startsWith("Duplicate field");
    }

    private static String expected(Class<?> type) {
        if (type == null) {
            return "has the wrong type";
        }
        if (type.isEnum()) {
            return "must be one of " + WireEnum.names(type);
        }
        if (type == UUID.class) {
            return "must be a UUID";
        }
        if (Collection.class.isAssignableFrom(type)) {
            return "must be an array";
        }
        if (type == String.class) {
            return "must be a string";
        }
        return type.isPrimitive() || Number.class.isAssignableFrom(type)
                ? "must be a whole number"
                : "must be an object";
    }

    /** Where the parser stood, for what it found out by itself and that does belong to a field. */
    private static String place(JsonProcessingException e) {
        boolean belongs = e instanceof StreamConstraintsException || isDoubled(e);
        if (!belongs || !(e.getProcessor() instanceof JsonParser parser)) {
            return "";
        }
        String field = "";
        for (JsonStreamContext at = parser.getParsingContext(); at != null; at = at.getParent()) {
            field = at.getCurrentName() == null ? field : at.getCurrentName();
        }
        return field;
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
        return snakeCase(path.replace(".<list element>", ""));
    }

    static String snakeCase(String name) {
        return name.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
    }
}
