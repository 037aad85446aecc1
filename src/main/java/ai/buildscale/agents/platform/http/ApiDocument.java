package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemDocument;
import ai.buildscale.agents.platform.problem.ProblemType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.eclipse.microprofile.openapi.OASFactory;
import org.eclipse.microprofile.openapi.OASFilter;
import org.eclipse.microprofile.openapi.models.OpenAPI;
import org.eclipse.microprofile.openapi.models.Operation;
import org.eclipse.microprofile.openapi.models.PathItem;
import org.eclipse.microprofile.openapi.models.media.Content;
import org.eclipse.microprofile.openapi.models.media.Schema;
import org.eclipse.microprofile.openapi.models.parameters.Parameter;
import org.eclipse.microprofile.openapi.models.parameters.RequestBody;
import org.eclipse.microprofile.openapi.models.responses.APIResponse;
import org.eclipse.microprofile.openapi.models.responses.APIResponses;
import org.eclipse.microprofile.openapi.models.security.SecurityScheme;

/** Completes the OpenAPI document, while it is built, with what holds for all operations of a kind: the token, and every error. */
public class ApiDocument implements OASFilter {
    private static final String BEARER = "bearer";
    private static final List<Schema.SchemaType> OBJECT = List.of(Schema.SchemaType.OBJECT);
    private static final String NOT_ALLOWED = "it exists, but the caller, or the caller's role, may not do this";
    private static final String NOT_THE_SESSIONS_OWNER =
            "it exists, but is another's, or its owner has left the workspace"
                    + " or is a viewer there, who only reads; a session of such an owner is read and ended (`DELETE`) by the"
                    + " workspace's owners and admins";

    /** The only POSTs without a key: one hands out work, and the other a secret, which is not kept. */
    private static final Set<String> NEVER_REPEATED =
            Set.of("/api/v1/agent-hosts/{hostId}/work", "/api/v1/stream-tokens");

    /** Headers with entity tags, and what may stand in them. */
    private static final Map<String, String> CONDITIONS = Map.of(
            "If-Match",
            "`\"v<version>\"` as `ETag` has it, weak (`W/\"v3\"`) too; a list of which one matches; `*`. What can never"
                    + " match is 412",
            "If-None-Match",
            "`\"v<version>\"` as `ETag` has it, weak (`W/\"v3\"`) too; a list; `*`");

    @Override
    public void filterOpenAPI(OpenAPI document) {
        document.getComponents()
                .addSecurityScheme(
                        BEARER,
                        OASFactory.createSecurityScheme()
                                .type(SecurityScheme.Type.HTTP)
                                .scheme(BEARER)
                                .bearerFormat("JWT")
                                .description("Authentication"));
        document.getComponents().getSchemas().values().forEach(ApiDocument::refer);
        document.getPaths().getPathItems().forEach((path, item) -> {
            for (Map.Entry<PathItem.HttpMethod, Operation> entry :
                    item.getOperations().entrySet()) {
                complete(path, entry.getKey(), entry.getValue());
            }
        });
    }

    /** A field that refers to another schema is of that one's type; the generator says that it is an object. */
    private static void refer(Schema schema) {
        if (schema.getProperties() != null) {
            schema.getProperties().values().stream()
                    .filter(field -> field.getRef() != null && OBJECT.equals(field.getType()))
                    .forEach(field -> field.setType(null));
        }
    }

    /** {@link Idempotency} reads the header, so that no resource names it; it stands where the generator sorts it. */
    private static void addKey(Operation operation) {
        List<Parameter> parameters = new ArrayList<>(parameters(operation));
        int headers = (int) parameters.stream()
                .filter(parameter -> parameter.getIn() != Parameter.In.HEADER)
                .count();
        parameters.add(
                headers,
                OASFactory.createParameter()
                        .name(Idempotency.KEY)
                        .in(Parameter.In.HEADER)
                        .schema(OASFactory.createSchema().type(List.of(Schema.SchemaType.STRING))));
        // the document has an operation's parts in the order in which they were set: parameters stand before what
        // follows
        RequestBody body = operation.getRequestBody();
        APIResponses responses = operation.getResponses();
        operation.requestBody(null).responses(null).parameters(parameters);
        operation.requestBody(body).responses(responses);
    }

    private static List<Parameter> parameters(Operation operation) {
        return operation.getParameters() == null ? List.of() : operation.getParameters();
    }

    private static void complete(String path, PathItem.HttpMethod method, Operation operation) {
        if (method == PathItem.HttpMethod.POST && !NEVER_REPEATED.contains(path)) {
            addKey(operation);
        }
        boolean open =
                operation.getSecurity() != null && operation.getSecurity().isEmpty();
        Map<ProblemType, String> errors = new TreeMap<>();
        errors.put(ProblemType.VALIDATION_ERROR, "a field, parameter or header is not valid; `fields` names it");
        errors.put(ProblemType.NOT_ACCEPTABLE, "`Accept` does not allow what this answers");
        errors.put(ProblemType.URI_TOO_LONG, "path and query are over 8,000 characters");
        errors.put(ProblemType.HEADERS_TOO_LARGE, "the headers are over the limit");
        errors.put(ProblemType.INTERNAL_ERROR, "unexpected; `error_id` is in the log");
        errors.put(ProblemType.UNAVAILABLE, "the database is away; try again after `Retry-After` seconds");
        if (!open) {
            operation.addSecurityRequirement(
                    OASFactory.createSecurityRequirement().addScheme(BEARER));
            errors.put(ProblemType.INVALID_TOKEN, "the token is missing or not valid");
            errors.put(ProblemType.RATE_LIMITED, "too many requests, or a quota is used up; see `Retry-After`");
        }
        if (path.contains("{")) {
            boolean isOfSession = path.contains("/agent-sessions/{") && !path.endsWith("/migrate");
            errors.put(ProblemType.FORBIDDEN, isOfSession ? NOT_THE_SESSIONS_OWNER : NOT_ALLOWED);
            errors.put(ProblemType.NOT_FOUND, "it does not exist");
        }
        parameters(operation).stream()
                .filter(parameter -> CONDITIONS.containsKey(parameter.getName()))
                .forEach(parameter -> parameter.setDescription(CONDITIONS.get(parameter.getName())));
        if (operation.getRequestBody() != null) {
            errors.put(ProblemType.PAYLOAD_TOO_LARGE, "the body is over the limit");
            errors.put(
                    ProblemType.UNSUPPORTED_MEDIA_TYPE,
                    "the body is not application/json, or is in a Content-Encoding");
        }
        boolean changesSession = path.contains("/agent-sessions") && method != PathItem.HttpMethod.GET;
        if (changesSession || has(operation, Idempotency.KEY) || path.endsWith("/{userId}")) {
            errors.put(
                    ProblemType.CONFLICT,
                    "its state does not allow it (`current_status` and `allowed_transitions` tell), another owner"
                            + " holds it (`FENCED`), or the same request is in flight");
        }
        if (has(operation, "If-Match")) {
            errors.put(ProblemType.STALE_VERSION, "`If-Match` names other versions, or none");
        }
        if (has(operation, Idempotency.KEY)) {
            errors.put(ProblemType.IDEMPOTENCY_MISMATCH, "the key was used with another path or body");
        }
        errors.forEach((type, description) -> {
            String status = Integer.toString(type.status());
            APIResponse known = operation.getResponses().getAPIResponse(status);
            if (known == null || known.getContent() == null) {
                operation.getResponses().addAPIResponse(status, response(type, description));
            }
        });
    }

    private static boolean has(Operation operation, String header) {
        return parameters(operation).stream().anyMatch(parameter -> header.equals(parameter.getName()));
    }

    private static APIResponse response(ProblemType type, String description) {
        Content content = OASFactory.createContent()
                .addMediaType(
                        ProblemDocument.MEDIA_TYPE,
                        OASFactory.createMediaType()
                                .schema(OASFactory.createSchema().ref("#/components/schemas/Problem"))
                                .example(new Problem(type, type.title()).document("/api/v1/…")));
        return OASFactory.createAPIResponse()
                .description(type + ": " + description)
                .content(content);
    }
}
