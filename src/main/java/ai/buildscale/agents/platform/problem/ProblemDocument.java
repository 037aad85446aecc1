package ai.buildscale.agents.platform.problem;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The shape of every error, for the OpenAPI document: RFC 9457 with the members that older clients read. */
@Schema(
        name = "Problem",
        description =
                "RFC 9457 problem details. `error` repeats `detail`; `fields` maps each bad field to its message. The"
                        + " facts after that are there where they tell something.",
        requiredProperties = {"type", "title", "status", "detail", "instance", "error", "code"})
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
        Map<String, String> fields,

        @Schema(description = "of a 409 on a transition: the session's status")
        String currentStatus,

        @Schema(description = "of a 409 on a transition: the statuses that it may go to")
        List<String> allowedTransitions,

        @Schema(description = "of a 412: the version as it is")
        Long version,

        @Schema(description = "of a 409 `FENCED`: the epoch as it is")
        Long epoch,

        @Schema(description = "of a 409 on a pause: the one that holds")
        UUID pauseId,

        @Schema(description = "of a 409 on an answer: the question that is open")
        UUID questionId,

        @Schema(description = "of a 409 on a member: the role as it is")
        String currentRole,

        @Schema(description = "of a 409 on a server or a turn: its state")
        String state,

        @Schema(description = "of a 409: the same request is being served")
        Boolean inFlight,

        @Schema(description = "of a 429 `QUOTA_EXCEEDED`: the quota")
        Integer maxLiveSessions,

        @Schema(description = "of a 500: the id in the log") String errorId) {
    public static final String MEDIA_TYPE = "application/problem+json";
}
