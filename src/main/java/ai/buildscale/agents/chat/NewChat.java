package ai.buildscale.agents.chat;

import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Budget;
import ai.buildscale.agents.session.Hosting;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.turn.BusyPolicy;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The request for a new chat.
 *
 * @param goal what it is for; the agent keeps it in mind
 * @param agentType {@code assistant} where it is not given
 * @param model the service's default where it is not given
 * @param mode follows from the agent type where it is not given
 * @param hosting {@code server} where it is not given: the agent lives here
 * @param onBusy what a message does that finds the agent busy; {@code enqueue} where it is not given
 * @param budget what the chat's session may use before it is paused
 */
public record NewChat(
        @Size(max = 4_000) @Schema(examples = "Plan the release")
        String goal,

        AgentType agentType,

        @Size(min = 1, max = 200)
        @Pattern(regexp = "[\\s\\S]*\\S[\\s\\S]*", message = "must not be blank")
        @Schema(examples = "scripted")
        String model,

        Mode mode,

        @Size(max = MAX_NAME) @Schema(examples = "Release notes")
        String name,

        Hosting hosting,
        BusyPolicy onBusy,
        @Schema(examples = "{\"team\": \"research\"}") Map<String, String> labels,
        @Schema(examples = "{\"gpu\": \"true\"}") Map<String, String> requires,
        @Valid Budget budget) {
    static final int MAX_NAME = 200;
}
