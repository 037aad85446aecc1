package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.problem.Problem;
import jakarta.validation.Valid;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The request for a new session.
 *
 * @param mode follows from the agent type where it is not given
 * @param chatId a chat of its own where none is given
 * @param hosting {@code server} where it is not given
 * @param requires the labels that a server must have to host it; for hosted sessions only
 * @param budget what it may use before it is paused; no limit where none is given
 */
public record NewSession(
        @NotNull @Schema(examples = "assistant") AgentType agentType,

        @NotNull @NotBlank @Size(max = 200) @Schema(examples = "gpt-5-mini")
        String model,

        Mode mode,
        UUID chatId,

        @Size(max = SessionChange.MAX_TEXT) @Schema(examples = "Summarise the incident")
        String task,

        Hosting hosting,
        @Schema(examples = "{\"team\": \"research\"}") Map<String, String> labels,

        @Schema(examples = "{\"gpu\": \"true\"}") Map<String, String> requires,

        @Valid Budget budget) {

    /** The same with every default in its place. */
    NewSession complete() {
        return new NewSession(
                agentType,
                model,
                mode == null ? agentType.defaultMode() : mode,
                chatId == null ? Ids.next() : chatId,
                task,
                hosting == null ? Hosting.SERVER : hosting,
                labels,
                requires,
                budget);
    }

    /** @throws Problem {@code VALIDATION_ERROR} for labels that cannot be */
    void check() {
        labelsJson();
        requiresJson();
        if (hosting == Hosting.EXTERNAL && requires != null && !requires.isEmpty()) {
            throw Problem.invalid("requires", "is for sessions that a server hosts");
        }
    }

    String labelsJson() {
        return Labels.json("labels", labels);
    }

    /** The labels as JSON, or null. */
    String requiresJson() {
        return Labels.json("requires", requires);
    }
}
