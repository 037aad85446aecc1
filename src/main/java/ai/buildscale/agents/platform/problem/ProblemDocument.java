package ai.buildscale.agents.platform.problem;

import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The shape of every error, for the OpenAPI document: RFC 9457 with the members that older clients read. */
@Schema(
        name = "Problem",
        description = "RFC 9457 problem details. `error` repeats `detail`; `fields` maps each bad field to its message;"
                + " a 409 on a transition adds `current_status` and `allowed_transitions`.")
public record ProblemDocument(
        @Schema(examples = "/problems/conflict") String type,

        @Schema(examples = "The current state does not allow this")
        String title,

        @Schema(examples = "409") int status,

        @Schema(examples = "A completed session cannot be paused")
        String detail,

        @Schema(examples = "/api/v1/agent-sessions/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/pause")
        String instance,

        @Schema(examples = "A completed session cannot be paused")
        String error,

        ProblemType code,
        Map<String, String> fields) {
    public static final String MEDIA_TYPE = "application/problem+json";
}
