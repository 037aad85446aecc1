package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.WireEnum;

/** The kind of a step: an entry of the history, or a change of the session. */
public enum StepKind {
    THOUGHT,
    CALL,
    OBSERVATION,
    MODE,
    TASK;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
