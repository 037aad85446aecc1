package ai.buildscale.agents.platform.http;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.eclipse.microprofile.openapi.OASFactory;
import org.eclipse.microprofile.openapi.models.OpenAPI;
import org.eclipse.microprofile.openapi.models.Operation;
import org.eclipse.microprofile.openapi.models.media.Content;
import org.eclipse.microprofile.openapi.models.media.Schema;
import org.eclipse.microprofile.openapi.models.media.Schema.SchemaType;
import org.eclipse.microprofile.openapi.models.responses.APIResponse;

/** Completes the schemas of the API's document with what the generator cannot know: what is always there, and what is open. */
final class ApiSchemas {
    private static final String PREFIX = "#/components/schemas/";
    private static final String ID = "UUID";
    private static final List<SchemaType> OBJECT = List.of(SchemaType.OBJECT);

    private final OpenAPI document;
    private final Map<String, Schema> schemas;

    ApiSchemas(OpenAPI document) {
        this.document = document;
        this.schemas = new TreeMap<>(document.getComponents().getSchemas());
    }

    void complete() {
        schemas.remove(ID);
        List<Schema> everything = new ArrayList<>();
        Stream.of(schemas.values(), parameters(), bodies(), answers())
                .flatMap(Collection::stream)
                .forEach(schema -> visit(schema, everything::add));
        everything.forEach(this::tidy);

        Set<String> asked = reached(bodies());
        Set<String> answered = reached(answers());
        separate(asked, answered);
        answered.forEach(name -> require(schemas.get(name)));
        document.getComponents().setSchemas(schemas);
    }

    private void tidy(Schema schema) {
        if (schema.getRef() != null) {
            if (schema.getRef().equals(PREFIX + ID)) {
                schema.ref(null).type(List.of(SchemaType.STRING)).format("uuid");
            } else if (OBJECT.equals(schema.getType())) {
                // a field that refers to another schema is of that one's type; the generator says that it is an object
                schema.setType(null);
            }
            return;
        }
        if (schema.getEnumeration() != null && schema.getType().contains(SchemaType.NULL)) {
            eitherOrNull(schema);
        } else if ("uuid".equals(schema.getFormat())) {
            schema.setPattern(null);
        } else if ("date-time".equals(schema.getFormat())) {
            schema.setExamples(null);
        } else if (isObject(schema)
                && schema.getProperties() == null
                && schema.getAdditionalPropertiesSchema() == null) {
            schema.setAdditionalPropertiesSchema(OASFactory.createSchema().booleanSchema(true));
        }
    }

    /** An enumeration that may be null: a null among its values is what generated clients do not read. */
    private void eitherOrNull(Schema schema) {
        Schema values = schemas.entrySet().stream()
                .filter(known -> schema.getEnumeration().equals(known.getValue().getEnumeration()))
                .findFirst()
                .map(known -> OASFactory.createSchema().ref(PREFIX + known.getKey()))
                .orElseGet(() -> OASFactory.createSchema()
                        .type(List.of(SchemaType.STRING))
                        .enumeration(schema.getEnumeration()));
        schema.type(null)
                .enumeration(null)
                .anyOf(List.of(values, OASFactory.createSchema().type(List.of(SchemaType.NULL))));
    }

    private static boolean isObject(Schema schema) {
        return schema.getType() != null && schema.getType().contains(SchemaType.OBJECT);
    }

    /** An answer has all its fields, also those that are null; a schema that names what it requires knows better. */
    private static void require(Schema schema) {
        if (schema.getProperties() != null && schema.getRequired() == null) {
            schema.setRequired(new ArrayList<>(schema.getProperties().keySet()));
        }
    }

    /** What may be left out of a request is always there in an answer: a schema of both becomes two. */
    private void separate(Set<String> asked, Set<String> answered) {
        for (String name : asked) {
            Schema both = schemas.get(name);
            if (!answered.contains(name) || both.getProperties() == null) {
                continue;
            }
            Schema ofRequests = OASFactory.createSchema();
            both.getAll().forEach(ofRequests::set);
            schemas.put(name + "Request", ofRequests);
            Stream.concat(
                            asked.stream()
                                    .filter(other -> !answered.contains(other))
                                    .map(schemas::get),
                            bodies().stream())
                    .forEach(schema -> visit(schema, part -> {
                        if ((PREFIX + name).equals(part.getRef())) {
                            part.setRef(PREFIX + name + "Request");
                        }
                    }));
        }
    }

    /** The names of the schemas that these lead to. */
    private Set<String> reached(List<Schema> from) {
        Set<String> names = new TreeSet<>();
        from.forEach(schema -> reach(schema, names));
        return names;
    }

    private void reach(Schema from, Set<String> names) {
        visit(from, schema -> {
            String ref = schema.getRef();
            if (ref != null && names.add(ref.substring(PREFIX.length()))) {
                reach(schemas.get(ref.substring(PREFIX.length())), names);
            }
        });
    }

    /** Visits a schema and all that it is made of, but for what it refers to. */
    private static void visit(Schema schema, Consumer<Schema> visitor) {
        visit(schema, visitor, Collections.newSetFromMap(new IdentityHashMap<>()));
    }

    private static void visit(Schema schema, Consumer<Schema> visitor, Set<Schema> seen) {
        if (schema == null || !seen.add(schema)) {
            return;
        }
        visitor.accept(schema);
        visit(schema.getItems(), visitor, seen);
        visit(schema.getAdditionalPropertiesSchema(), visitor, seen);
        if (schema.getProperties() != null) {
            schema.getProperties().values().forEach(part -> visit(part, visitor, seen));
        }
        Stream.of(schema.getAnyOf(), schema.getOneOf(), schema.getAllOf())
                .filter(Objects::nonNull)
                .flatMap(List::stream)
                .forEach(part -> visit(part, visitor, seen));
    }

    private Stream<Operation> operations() {
        return document.getPaths().getPathItems().values().stream()
                .flatMap(item -> item.getOperations().values().stream());
    }

    private List<Schema> parameters() {
        return operations()
                .flatMap(operation -> ApiDocument.parameters(operation).stream())
                .map(parameter -> parameter.getSchema())
                .toList();
    }

    private List<Schema> bodies() {
        return operations()
                .filter(operation -> operation.getRequestBody() != null)
                .flatMap(operation -> schemas(operation.getRequestBody().getContent()))
                .toList();
    }

    private List<Schema> answers() {
        Stream<APIResponse> shared = document.getComponents().getResponses().values().stream();
        Stream<APIResponse> own =
                operations().flatMap(operation -> operation.getResponses().getAPIResponses().values().stream());
        return Stream.concat(shared, own)
                .filter(response -> response.getContent() != null)
                .flatMap(response -> schemas(response.getContent()))
                .toList();
    }

    private static Stream<Schema> schemas(Content content) {
        return content.getMediaTypes().values().stream()
                .map(media -> media.getSchema())
                .filter(Objects::nonNull);
    }
}
