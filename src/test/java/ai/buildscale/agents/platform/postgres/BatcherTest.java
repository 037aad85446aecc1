package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.platform.problem.Problem;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatcherTest {
    private final List<List<Integer>> sent = new ArrayList<>();
    private final List<UniEmitter<? super String>> open = new ArrayList<>();
    private final List<String> answers = new ArrayList<>();
    private final Batcher<Integer, String> gathering = new Batcher<>(3, batch -> {
        sent.add(List.copyOf(batch));
        return Uni.createFrom().emitter(open::add);
    });

    private void add(int item) {
        gathering.add(item).subscribe().with(answers::add, e -> answers.add(e.getMessage()));
    }

    @Test
    void whatComesWhileOneIsUnderWayGoesOutTogether() {
        add(1);
        add(2);
        add(3);
        add(4);
        add(5);
        assertThat(sent).containsExactly(List.of(1));

        open.getFirst().complete("a");
        assertThat(sent).containsExactly(List.of(1), List.of(2, 3, 4));
        open.get(1).complete("b");
        open.get(2).complete("c");
        assertThat(answers).containsExactly("a", "b", "b", "b", "c");
        add(6);
        assertThat(sent.getLast()).containsExactly(6);
    }

    @Test
    void whatIsWrongWithOneDoesNotHarmTheOthers() {
        add(1);
        add(2);
        add(3);
        open.get(0).complete("a");
        open.get(1).fail(new IllegalArgumentException("one of them"));
        open.get(2).complete("b");
        open.get(3).fail(new IllegalArgumentException("this one"));

        assertThat(sent).containsExactly(List.of(1), List.of(2, 3), List.of(2), List.of(3));
        assertThat(answers).containsExactly("a", "b", "this one");
        add(4);
        assertThat(sent.getLast()).containsExactly(4);
    }

    @Test
    void whereTheDatabaseIsAwayNothingIsTriedOneByOne() {
        add(1);
        add(2);
        add(3);
        open.get(0).complete("a");
        open.get(1).fail(Problem.unavailable());

        assertThat(sent).hasSize(2);
        assertThat(answers).hasSize(3);
    }
}
