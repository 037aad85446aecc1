package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.SessionStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WireEnumTest {
    @ParameterizedTest
    @EnumSource
    void knowsItsOwnNames(SessionStatus status) {
        assertThat(WireEnum.known(SessionStatus.class, WireEnum.name(status))).isEqualTo(status);
        assertThat(WireEnum.is(status, status.toString())).isTrue();
        assertThat(WireEnum.is(status, "hibernating")).isFalse();
    }

    @Test
    void doesNotFailOnOthers() {
        assertThat(WireEnum.known(SessionStatus.class, "hibernating")).isNull();
        assertThat(WireEnum.known(SessionStatus.class, "IDLE")).isNull();
        assertThat(WireEnum.known(SessionStatus.class, null)).isNull();
        assertThat(WireEnum.is(SessionStatus.IDLE, null)).isFalse();
    }

    @Test
    void tellsSqlWhatIsKnown() {
        assertThat(WireEnum.sql(AgentType.class)).isEqualTo("('assistant', 'planner', 'builder')");
    }
}
