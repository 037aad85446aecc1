package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NotificationTest {
    private static Set<UUID> servers(int count) {
        return Stream.generate(UUID::randomUUID).limit(count).collect(Collectors.toSet());
    }

    @Test
    void isReadAsItWasSent() {
        for (int count : new int[] {0, 1, 3, 200}) {
            Set<UUID> servers = servers(count);

            Notification read = Notification.read(Notification.of(servers).text());

            assertThat(read).isEqualTo(new Notification(servers, false));
            assertThat(servers).allMatch(read::concerns);
            assertThat(read.concerns(UUID.randomUUID())).isFalse();
        }
    }

    @Test
    void isForEveryoneWhereItWouldBeTooLongForPostgres() {
        Notification read = Notification.read(Notification.of(servers(201)).text());

        assertThat(read.concerns(UUID.randomUUID())).isTrue();
        assertThat(Notification.of(servers(200)).text().length()).isLessThan(7_900);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"to\":\"all\"}", "all", "3f0e", "00000000-0000-7000-8000-000000000001,and-more", " "})
    void isForEveryoneWhereANewerServerSaysItInAnotherWay(String text) {
        assertThat(Notification.read(text).concerns(UUID.randomUUID())).isTrue();
    }
}
