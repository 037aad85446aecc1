package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.http.EntityTags;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Commands to agent sessions over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Agent sessions")
public class SessionCommandResource {
    static final int MAX_REASON = 1_000;
    private static final int MAX_RESULT = 65_536;
    /** The longest that an answer is held, in seconds. */
    public static final int MAX_WAIT = 30;

    static final String WAIT =
            "seconds that the answer may be held until the owner of a hosted session has carried the command out";

    private final SessionCommands commands;
    private final CommandAnswers answers;

    SessionCommandResource(SessionCommands commands, CommandAnswers answers) {
        this.commands = commands;
        this.answers = answers;
    }

    /** @param command what the owner of a hosted session was told, and how far it is; else null */
    @RegisterForReflection
    @Schema(name = "CommandedSession")
    public record Commanded(
            SessionView session,
            String message,
            @Schema(nullable = true) CommandView command) {}

    @Schema(name = "CommandList")
    public record Commands(List<CommandView> commands) {}

    @Schema(name = "CommandAnswer")
    public record OneCommand(CommandView command) {}

    @Schema(name = "StartRequest")
    public record Start(@Size(max = SessionChange.MAX_TEXT) String task) {}

    /** @param expiresIn seconds after which the session goes on by itself */
    public record PauseRequest(
            @Size(max = MAX_REASON) @Schema(examples = "Waiting for review")
            String reason,

            @Min(1) @Max(31_622_400) @Schema(description = "seconds", examples = "3600")
            Long expiresIn) {}

    /** @param pauseId the pause that is meant; a repeat with the same one is a success */
    @Schema(name = "ResumeRequest")
    public record Resume(@Size(max = SessionChange.MAX_TEXT) String task, UUID pauseId) {}

    /** @param result any JSON */
    @Schema(name = "CompleteRequest")
    public record Complete(
            @Schema(implementation = Object.class, description = "any JSON, up to 64 kB")
            JsonNode result) {}

    @Schema(name = "FailRequest")
    public record Fail(
            @NotNull @NotBlank @Size(max = SessionChange.MAX_TEXT) @Schema(examples = "The model refused")
            String errorMessage) {}

    @POST
    @Path("/agent-sessions/{id}/start")
    @Operation(
            operationId = "startSession",
            summary = "Idle or paused → running",
            description =
                    "A chat's session runs only with a turn: its task is a message to the agent. 409 without a task"
                            + " and without a message that waits. Where hosts elsewhere run its agent, it is `idle` until"
                            + " one takes the turn.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> start(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Start body) {
        String task = body == null ? null : body.task();
        return answers.command(
                Caller.of(security), id, body, Transition.start(task, EntityTags.versions(ifMatch)), Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/yield")
    @Operation(
            operationId = "yieldSession",
            summary = "Running → idle: the turn is over",
            description = "409 unless it runs.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> yieldTurn(
            @Context SecurityContext security, @HeaderParam("If-Match") String ifMatch, @RestPath UUID id) {
        return answers.command(
                Caller.of(security), id, null, Transition.yieldTurn(EntityTags.versions(ifMatch)), Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/pause")
    @Operation(
            operationId = "pauseSession",
            summary = "Running or idle → paused; already paused is a success",
            description =
                    "With `wait`, the answer is held until the agent has really stopped. With `expires_in` the session goes on by itself.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> pause(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid PauseRequest body,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        Duration pauseFor = body == null || body.expiresIn() == null ? null : Duration.ofSeconds(body.expiresIn());
        return answers.command(
                Caller.of(security),
                id,
                body,
                Transition.pause(body == null ? null : body.reason(), pauseFor, EntityTags.versions(ifMatch)),
                seconds(wait));
    }

    @POST
    @Path("/agent-sessions/{id}/resume")
    @Operation(
            operationId = "resumeSession",
            summary = "Paused → running if it was paused while running or gets a task, else idle",
            description =
                    "409 unless it is paused; a repeat with the same pause_id is a success. A chat's session goes on"
                            + " with its turn, then with the task, which is a message to the agent. Where hosts elsewhere"
                            + " run the agent and none has the turn, it is `idle` until one takes it.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> resume(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Resume body,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        return answers.command(
                Caller.of(security),
                id,
                body,
                Transition.resume(
                        body == null ? null : body.task(),
                        body == null ? null : body.pauseId(),
                        EntityTags.versions(ifMatch)),
                seconds(wait));
    }

    @POST
    @Path("/agent-sessions/{id}/complete")
    @Operation(
            operationId = "completeSession",
            summary = "Running or paused → completed",
            description = "The end of a session whose work is done; `result` stays with its record.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> complete(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Complete body) {
        String result = body == null || body.result() == null || body.result().isNull()
                ? null
                : body.result().toString();
        if (result != null && result.length() > MAX_RESULT) {
            throw Problem.invalid("result", "must have at most " + MAX_RESULT + " characters as JSON");
        }
        return answers.command(
                Caller.of(security),
                id,
                body,
                Transition.complete(result, EntityTags.versions(ifMatch)),
                Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/fail")
    @Operation(
            operationId = "failSession",
            summary = "Running → error",
            description = "The end of a session whose work cannot be done; `error_message` stays with its record.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> fail(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @Valid @NotNull Fail body) {
        return answers.command(
                Caller.of(security),
                id,
                body,
                Transition.fail(body.errorMessage(), EntityTags.versions(ifMatch)),
                Duration.ZERO);
    }

    @GET
    @Path("/agent-sessions/{id}/commands")
    @Operation(
            operationId = "listSessionCommands",
            summary = "What the owner of a hosted session was told, and how far each command is; oldest first",
            description = "A session that is not hosted here has none.")
    public Uni<Commands> commands(@Context SecurityContext security, @RestPath UUID id) {
        return commands.commands(Caller.of(security), id).map(Commands::new);
    }

    @GET
    @Path("/agent-sessions/{id}/commands/{commandId}")
    @Operation(
            operationId = "getSessionCommand",
            summary = "One command",
            description = "With `wait`, the answer is held until the command is applied or rejected.")
    public Uni<OneCommand> oneCommand(
            @Context SecurityContext security,
            @RestPath UUID id,
            @RestPath UUID commandId,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        return commands.commandOf(Caller.of(security), id, commandId, seconds(wait))
                .map(OneCommand::new);
    }

    static Duration seconds(Integer wait) {
        return Duration.ofSeconds(wait == null ? 0 : wait);
    }
}
