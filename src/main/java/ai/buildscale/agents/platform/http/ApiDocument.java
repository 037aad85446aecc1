package ai.buildscale.agents.platform.http;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.eclipse.microprofile.openapi.OASFactory;
import org.eclipse.microprofile.openapi.OASFilter;
import org.eclipse.microprofile.openapi.models.OpenAPI;
import org.eclipse.microprofile.openapi.models.Operation;
import org.eclipse.microprofile.openapi.models.PathItem;
import org.eclipse.microprofile.openapi.models.headers.Header;
import org.eclipse.microprofile.openapi.models.media.Schema;
import org.eclipse.microprofile.openapi.models.parameters.Parameter;
import org.eclipse.microprofile.openapi.models.parameters.RequestBody;
import org.eclipse.microprofile.openapi.models.responses.APIResponse;
import org.eclipse.microprofile.openapi.models.responses.APIResponses;
import org.eclipse.microprofile.openapi.models.security.SecurityScheme;

/**
 * Completes the OpenAPI document, while it is built, with what holds for all operations of a kind: the token, headers,
 * the order of parameters, and every error.
 */
public class ApiDocument implements OASFilter {
    static final String ETAG = "ETag";
    static final String LOCATION = "Location";
    private static final String BEARER = "bearer";
    private static final List<Schema.SchemaType> STRING = List.of(Schema.SchemaType.STRING);

    /** The only POSTs without a key: one hands out work, the other a secret, which is not kept. */
    private static final Set<String> NEVER_REPEATED =
            Set.of("/api/v1/agent-hosts/{hostId}/work", "/api/v1/stream-tokens");

    /** Answers with one session, whose version they have as an entity tag. */
    private static final Set<String> TAGGED =
            Set.of("#/components/schemas/SessionAnswer", "#/components/schemas/CommandedSession");

    private static final Map<String, String> PARAMETERS = Map.of(
            "If-Match",
            "`\"v<version>\"` as `ETag` has it, weak (`W/\"v3\"`) too; a list of which one matches; `*`. What can never"
                    + " match is 412",
            "If-None-Match",
            "`\"v<version>\"` as `ETag` has it, weak (`W/\"v3\"`) too; a list; `*`",
            Idempotency.KEY,
            "1 to " + Idempotency.MAX_KEY_LENGTH
                    + " printable ASCII characters: the same key with the same body gives the first answer again, with"
                    + " another one 422",
            "limit",
            "how many at most",
            "cursor",
            "where to go on: `next_cursor` of the page before");

    @Override
    public void filterOpenAPI(OpenAPI document) {
        document.getComponents()
                .addSecurityScheme(
                        BEARER,
                        OASFactory.createSecurityScheme()
                                .type(SecurityScheme.Type.HTTP)
                                .scheme(BEARER)
                                .bearerFormat("JWT")
                                .description("A token of the issuer that the service is configured with"))
                .addHeader(ETAG, header("the session's version, as `\"v3\"`"))
                .addHeader(LOCATION, header("the path of what was made"))
                .addHeader(ApiErrors.RETRY_AFTER, header("seconds after which the request may succeed"))
                .addHeader(ApiErrors.CHALLENGE, header("what is wrong with the token (RFC 6750)"));
        ApiErrors.define(document.getComponents());
        document.getPaths().getPathItems().forEach((path, item) -> {
            for (Map.Entry<PathItem.HttpMethod, Operation> entry :
                    item.getOperations().entrySet()) {
                complete(path, entry.getKey(), entry.getValue());
            }
        });
        new ApiSchemas(document).complete();
    }

    private static Header header(String description) {
        return OASFactory.createHeader()
                .description(description)
                .schema(OASFactory.createSchema().type(STRING));
    }

    static Header reference(String header) {
        return OASFactory.createHeader().ref(header);
    }

    private static void complete(String path, PathItem.HttpMethod method, Operation operation) {
        List<Parameter> parameters = new ArrayList<>(parameters(operation));
        if (method == PathItem.HttpMethod.POST && !NEVER_REPEATED.contains(path)) {
            // Idempotency reads the header, so that no resource names it
            parameters.add(OASFactory.createParameter()
                    .name(Idempotency.KEY)
                    .in(Parameter.In.HEADER)
                    .schema(OASFactory.createSchema().type(STRING)));
        }
        order(path, parameters);
        parameters.stream()
                .filter(parameter -> parameter.getDescription() == null)
                .forEach(parameter -> parameter.setDescription(PARAMETERS.get(parameter.getName())));
        replace(operation, parameters);
        boolean open =
                operation.getSecurity() != null && operation.getSecurity().isEmpty();
        if (!open) {
            operation.addSecurityRequirement(
                    OASFactory.createSecurityRequirement().addScheme(BEARER));
        }
        operation.getResponses().getAPIResponses().forEach(ApiDocument::addHeaders);
        ApiErrors.add(path, method, operation, open);
    }

    static List<Parameter> parameters(Operation operation) {
        return operation.getParameters() == null ? List.of() : operation.getParameters();
    }

    static boolean has(Operation operation, String parameter) {
        return parameters(operation).stream().anyMatch(known -> parameter.equals(known.getName()));
    }

    /** Those of the path as they stand there, then those of the query, then headers: generated methods take them so. */
    private static void order(String path, List<Parameter> parameters) {
        parameters.sort(Comparator.comparingInt((Parameter parameter) -> place(parameter.getIn()))
                .thenComparingInt(parameter -> path.indexOf("{" + parameter.getName() + "}")));
    }

    private static int place(Parameter.In in) {
        return switch (in) {
            case PATH -> 0;
            case QUERY -> 1;
            default -> 2;
        };
    }

    /** The document has an operation's parts in the order in which they were set: parameters stand before what follows. */
    private static void replace(Operation operation, List<Parameter> parameters) {
        RequestBody body = operation.getRequestBody();
        APIResponses responses = operation.getResponses();
        operation.requestBody(null).responses(null).parameters(parameters.isEmpty() ? null : parameters);
        operation.requestBody(body).responses(responses);
    }

    private static void addHeaders(String status, APIResponse response) {
        if (status.equals("201")) {
            response.addHeader(LOCATION, reference(LOCATION));
        }
        boolean tagged = response.getContent() != null
                && response.getContent().getMediaTypes().values().stream()
                        .anyMatch(media -> media.getSchema() != null
                                && media.getSchema().getRef() != null
                                && TAGGED.contains(media.getSchema().getRef()));
        if (tagged || status.equals("304")) {
            response.addHeader(ETAG, reference(ETAG));
        }
    }
}
