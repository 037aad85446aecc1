package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotEmpty;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Heartbeats of agent sessions over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Agent sessions")
public class HeartbeatResource {
    private final Heartbeats heartbeats;
    private final Idempotency idempotency;

    HeartbeatResource(Heartbeats heartbeats, Idempotency idempotency) {
        this.heartbeats = heartbeats;
        this.idempotency = idempotency;
    }

    /** @param progress anything but null and false says that the agent has got on since its last beat */
    @Schema(name = "HeartbeatRequest")
    public record Heartbeat(
            @NotNull @Min(0) @Schema(examples = "1") Long epoch,

            @Schema(
                    implementation = Object.class,
                    description = "anything but null and false: the agent has got on",
                    examples = "true")
            JsonNode progress,

            @Size(max = SessionChange.MAX_TEXT) String currentTask) {}

    @JsonDeserialize(using = BeatJson.Reader.class)
    public record Beat(
            @NotNull @Schema(ref = "#/components/schemas/UUID", required = true)
            UUID id,

            @NotNull @Min(0) @Schema(examples = "1") Long epoch) {}

    /** The beats are checked by {@link #requireComplete}: Bean Validation takes longer than the statement. */
    @Schema(name = "HeartbeatBatch")
    public record BeatBatch(
            @NotNull @NotEmpty @Size(max = 1_000) List<Beat> beats) {}

    @RegisterForReflection
    @JsonSerialize(using = BeatJson.Writer.class)
    @Schema(name = "HeartbeatBatchAnswer")
    public record HeartbeatAnswers(List<Heartbeats.BeatAnswer> beats) {}

    @POST
    @Path("/agent-sessions/{id}/heartbeat")
    @Operation(
            operationId = "heartbeatSession",
            summary = "Keep a session alive, as its agent",
            description = "`desired_status` is the state people want it in: the agent obeys it, even if it missed an"
                    + " event. 409 `FENCED` once another owner holds the session.")
    @APIResponse(
            responseCode = "200",
            content = @Content(schema = @Schema(implementation = Heartbeats.SessionLease.class)))
    public Uni<Response> heartbeat(
            @Context SecurityContext security, @RestPath UUID id, @Valid @NotNull Heartbeat body) {
        Caller caller = Caller.of(security);
        boolean progress = body.progress() != null
                && !body.progress().isNull()
                && !(body.progress().isBoolean() && !body.progress().booleanValue());
        SessionChange note = SessionChange.ofHeartbeat(progress, body.currentTask());
        return idempotency.once(
                body,
                (db, _) -> heartbeats.requireBeatsFor(db, caller, id),
                db -> heartbeats.beat(db, caller, id, body.epoch(), note).map(StoredResponse::ok));
    }

    @POST
    @Path("/agent-sessions/heartbeats")
    @Operation(
            operationId = "heartbeatSessions",
            summary = "Keep up to 1,000 sessions alive, in one statement; one answer for each beat, in their order",
            description = "A beat that is refused says why in its `code`, and does not stop the others.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = HeartbeatAnswers.class)))
    public Uni<Response> heartbeats(@Context SecurityContext security, @Valid @NotNull BeatBatch body) {
        Caller caller = Caller.of(security);
        requireComplete(body.beats());
        UUID[] ids = body.beats().stream().map(Beat::id).toArray(UUID[]::new);
        Long[] epochs = body.beats().stream().map(Beat::epoch).toArray(Long[]::new);
        return idempotency.once(
                body,
                (db, kept) -> heartbeats.requireBeatsFor(db, caller, answered(kept)),
                db -> heartbeats
                        .beat(db, caller, ids, epochs)
                        .map(answers -> StoredResponse.ok(new HeartbeatAnswers(answers))));
    }

    /** The sessions that these answers tell of. */
    private static UUID[] answered(StoredResponse kept) {
        return new JsonObject(((Idempotency.Kept) kept.body()).json())
                .getJsonArray("beats").stream()
                        .map(JsonObject.class::cast)
                        .filter(beat -> beat.getValue("epoch") != null)
                        .map(beat -> UUID.fromString(beat.getString("id")))
                        .toArray(UUID[]::new);
    }

    private static void requireComplete(List<Beat> beats) {
        for (int i = 0; i < beats.size(); i++) {
            Beat beat = beats.get(i);
            String field = "beats[" + i + "]";
            if (beat == null) {
                throw Problem.invalid(field, "must not be null");
            }
            if (beat.id() == null) {
                throw Problem.invalid(field + ".id", "must not be null");
            }
            if (beat.epoch() == null) {
                throw Problem.invalid(field + ".epoch", "must not be null");
            }
            if (beat.epoch() < 0) {
                throw Problem.invalid(field + ".epoch", "must be greater than or equal to 0");
            }
        }
    }
}
