package ai.buildscale.agents.dev;

import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.security.SecurityRequirements;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Issues tokens to whoever asks. Only in the development way of running: it is not in the production artefact. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Development")
public class DevTokenResource {
    private final DevKeys keys;

    DevTokenResource(@ConfigProperty(name = "dev.data-dir") String dataDir) {
        this.keys = new DevKeys(Paths.get(dataDir));
    }

    /**
     * @param userId a new user where none is given
     * @param expiresIn seconds, an hour where not given
     */
    @Schema(name = "DevTokenRequest")
    public record TokenRequest(
            UUID userId,
            Set<String> groups,
            @Min(1) @Max(31_536_000) Integer expiresIn) {}

    @Schema(name = "DevToken")
    public record Token(String accessToken, UUID userId, int expiresIn) {}

    @POST
    @Path("/dev/tokens")
    @Operation(
            operationId = "createDevToken",
            summary = "A token for anybody (development only)",
            description = "Without a body: for a new user, without groups, for an hour.")
    @SecurityRequirements
    public Token issue(@RequestBody(required = false) @Valid TokenRequest body) {
        TokenRequest request = body == null ? new TokenRequest(null, null, null) : body;
        UUID userId = request.userId() == null ? UUID.randomUUID() : request.userId();
        int expiresIn = request.expiresIn() == null ? 3_600 : request.expiresIn();
        Set<String> groups = request.groups() == null ? Set.of() : request.groups();
        String token = keys.token(userId, groups, Duration.ofSeconds(expiresIn));
        return new Token(token, userId, expiresIn);
    }
}
