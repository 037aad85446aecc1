package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SerialByKeyTest {
    private final SerialByKey orders = new SerialByKey();
    private final List<String> begun = new ArrayList<>();
    private final List<UniEmitter<? super Void>> open = new ArrayList<>();
    private final List<String> over = new ArrayList<>();
    private final UUID one = UUID.randomUUID();
    private final UUID other = UUID.randomUUID();

    private void give(UUID session, String name) {
        orders.after(session, () -> {
                    begun.add(name);
                    return Uni.createFrom().emitter(open::add);
                })
                .subscribe()
                .with(_ -> over.add(name), e -> over.add(name + " failed"));
    }

    @Test
    void eachSessionsWorkIsDoneOneAfterTheOther() {
        give(one, "a");
        give(one, "b");
        give(other, "c");
        give(one, "d");
        assertThat(begun).containsExactly("a", "c");

        open.get(0).fail(new IllegalStateException());
        assertThat(begun).containsExactly("a", "c", "b");
        open.get(2).complete(null);
        open.get(3).complete(null);
        assertThat(over).containsExactly("a failed", "b", "d");

        give(one, "e");
        assertThat(begun).endsWith("e");
    }
}
