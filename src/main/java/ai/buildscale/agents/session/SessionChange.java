package ai.buildscale.agents.session;

import com.fasterxml.jackson.annotation.JsonIgnore;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The fields of a session that a PATCH changes. A field that is not named stays as it is; {@code current_task} and
 * {@code blocked_on} are cleared by null, all of {@code budget} likewise; {@code labels} replaces all labels. A bean,
 * not a record, to tell null from not named.
 */
public class SessionChange {
    /** The longest task, error message or the like, in characters. */
    static final int MAX_TEXT = 4_000;

    @Size(max = MAX_TEXT)
    @Schema(nullable = true, examples = "Write the report")
    private String currentTask;

    @Size(min = 1, max = 200)
    @Pattern(regexp = "[\\s\\S]*\\S[\\s\\S]*", message = "must not be blank")
    private String model;

    private Mode mode;
    private AgentType agentType;
    private Map<String, String> labels;

    @Size(max = MAX_TEXT)
    @Schema(nullable = true, examples = "waiting for an approval")
    private String blockedOn;

    @Valid
    @Schema(nullable = true)
    private Budget budget;

    @JsonIgnore
    private boolean progress;

    @JsonIgnore
    private final Set<String> namedFields = new HashSet<>();

    /** The change that a heartbeat carries. */
    static SessionChange ofHeartbeat(boolean progress, String currentTask) {
        SessionChange change = new SessionChange();
        change.progress = progress;
        if (currentTask != null) {
            change.setCurrentTask(currentTask);
        }
        return change;
    }

    boolean names(String field) {
        return namedFields.contains(field);
    }

    boolean madeProgress() {
        return progress;
    }

    @JsonIgnore
    boolean isEmpty() {
        return namedFields.isEmpty() && !progress;
    }

    String labelsJson() {
        return Labels.json("labels", labels);
    }

    public Budget getBudget() {
        return budget;
    }

    public void setBudget(Budget budget) {
        this.budget = budget;
        namedFields.add("budget");
    }

    public String getCurrentTask() {
        return currentTask;
    }

    public void setCurrentTask(String currentTask) {
        this.currentTask = currentTask;
        namedFields.add("current_task");
    }

    public String getModel() {
        return model;
    }

    public void setModel(String model) {
        this.model = model;
        namedFields.add("model");
    }

    public Mode getMode() {
        return mode;
    }

    public void setMode(Mode mode) {
        this.mode = mode;
        namedFields.add("mode");
    }

    public AgentType getAgentType() {
        return agentType;
    }

    public void setAgentType(AgentType agentType) {
        this.agentType = agentType;
        namedFields.add("agent_type");
    }

    public Map<String, String> getLabels() {
        return labels;
    }

    public void setLabels(Map<String, String> labels) {
        this.labels = labels;
        namedFields.add("labels");
    }

    public String getBlockedOn() {
        return blockedOn;
    }

    public void setBlockedOn(String blockedOn) {
        this.blockedOn = blockedOn;
        namedFields.add("blocked_on");
    }

    /** The first field that is named with null but cannot be cleared, or null. */
    String wronglyCleared() {
        return namedFields.contains("model") && model == null
                ? "model"
                : namedFields.contains("mode") && mode == null
                        ? "mode"
                        : namedFields.contains("agent_type") && agentType == null
                                ? "agent_type"
                                : namedFields.contains("labels") && labels == null ? "labels" : null;
    }
}
