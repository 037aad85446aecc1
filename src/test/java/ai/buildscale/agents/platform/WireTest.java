package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.SessionStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WireTest {
    @ParameterizedTest
    @EnumSource
    void knowsItsOwnNames(SessionStatus status) {
        assertThat(Wire.known(SessionStatus.class, Wire.name(status))).isEqualTo(status);
        assertThat(Wire.is(status, status.toString())).isTrue();
        assertThat(Wire.is(status, "hibernating")).isFalse();
    }

    @Test
    void doesNotFailOnOthers() {
        assertThat(Wire.known(SessionStatus.class, "hibernating")).isNull();
        assertThat(Wire.known(SessionStatus.class, "IDLE")).isNull();
        assertThat(Wire.known(SessionStatus.class, null)).isNull();
        assertThat(Wire.is(SessionStatus.IDLE, null)).isFalse();
    }

    @Test
    void tellsSqlWhatIsKnown() {
        assertThat(Wire.sql(AgentType.class)).isEqualTo("('assistant', 'planner', 'builder')");
    }
}
