package ai.buildscale.agents.chat;

import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.turn.BusyPolicy;
import com.fasterxml.jackson.annotation.JsonIgnore;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import java.util.HashSet;
import java.util.Set;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The fields of a chat that a PATCH changes. A field that is not named stays as it is; the name is cleared by null. A
 * bean, not a record, to tell null from not named.
 */
public class ChatChange {
    @Size(max = NewChat.MAX_NAME)
    @Schema(nullable = true, examples = "Release notes")
    private String name;

    @Size(min = 1, max = 200)
    @Pattern(regexp = "[\\s\\S]*\\S[\\s\\S]*", message = "must not be blank")
    private String model;

    private Mode mode;
    private BusyPolicy onBusy;

    @JsonIgnore
    private final Set<String> named = new HashSet<>();

    boolean names(String field) {
        return named.contains(field);
    }

    @Schema(hidden = true)
    boolean isEmpty() {
        return named.isEmpty();
    }

    public String getName() {
        return name;
    }

    public void setName(String name) {
        this.name = name;
        named.add("name");
    }

    public String getModel() {
        return model;
    }

    public void setModel(String model) {
        this.model = model;
        named.add("model");
    }

    public Mode getMode() {
        return mode;
    }

    public void setMode(Mode mode) {
        this.mode = mode;
        named.add("mode");
    }

    public BusyPolicy getOnBusy() {
        return onBusy;
    }

    public void setOnBusy(BusyPolicy onBusy) {
        this.onBusy = onBusy;
        named.add("on_busy");
    }

    /** The first field that is named with null but cannot be cleared, or null. */
    String wronglyCleared() {
        return named.contains("model") && model == null
                ? "model"
                : named.contains("mode") && mode == null
                        ? "mode"
                        : named.contains("on_busy") && onBusy == null ? "on_busy" : null;
    }
}
