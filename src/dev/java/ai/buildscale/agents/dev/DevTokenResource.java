package ai.buildscale.agents.dev;

import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Issues tokens to whoever asks. Only in the development way of running: neither the production artefact nor the API's document has it. */
@Path("/api/v1")
public class DevTokenResource {
    private final DevKeys keys;

    DevTokenResource(@ConfigProperty(name = "dev.data-dir") String dataDir) {
        this.keys = new DevKeys(Paths.get(dataDir));
    }

    /**
     * @param userId a new user where none is given
     * @param expiresIn seconds, an hour where not given
     */
    public record TokenRequest(
            UUID userId,
            Set<String> groups,
            @Min(1) @Max(31_536_000) Integer expiresIn) {}

    public record Token(String accessToken, UUID userId, int expiresIn) {}

    @POST
    @Path("/dev/tokens")
    public Token issue(@Valid TokenRequest body) {
        TokenRequest request = body == null ? new TokenRequest(null, null, null) : body;
        UUID userId = request.userId() == null ? UUID.randomUUID() : request.userId();
        int expiresIn = request.expiresIn() == null ? 3_600 : request.expiresIn();
        Set<String> groups = request.groups() == null ? Set.of() : request.groups();
        String token = keys.token(userId, groups, Duration.ofSeconds(expiresIn));
        return new Token(token, userId, expiresIn);
    }
}
