package ai.buildscale.agents.engine.scripted;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.session.AgentType;
import com.sun.management.ThreadMXBean;
import io.smallrye.mutiny.Multi;
import io.vertx.core.Vertx;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs come one at a time, when they are asked for. */
class ScriptedFlowTest {
    private final ScriptedFixture stage = new ScriptedFixture();
    private final List<Output> heard = new ArrayList<>();

    @Test
    void givesOneForOne() {
        TurnSubscriber listener = listen("/think first\none two\n/task last");

        assertThat(heard).isEmpty();
        for (int n = 1; n <= 4; n++) {
            assertThat(stage.timers.pending()).isZero();
            listener.request(1);
            if (stage.timers.pending() > 0) {
                assertThat(heard).hasSize(n - 1);
                stage.timers.runOut();
            }
            assertThat(heard).hasSize(n);
        }
        assertThat(listener.isComplete()).isTrue();
    }

    @Test
    void pausesOnlyOnceItIsAskedForMore() {
        TurnSubscriber listener = listen("one two");

        listener.request(1);
        assertThat(heard).containsExactly(new Output.Chunk("Hello! "));
        assertThat(stage.timers.pending()).isZero();
        listener.request(1);
        assertThat(stage.timers.pending()).isOne();
        stage.timers.runOut();
        assertThat(heard).hasSize(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/wait 24h\n/say it", "/delay 24h\none two", "/wait 24h", "/wait 24h\n/fail it"})
    void leavesNoTimerBehind(String message) {
        TurnSubscriber listener = listen(message);
        listener.request(Long.MAX_VALUE);
        int before = heard.size();
        assertThat(stage.timers.pending()).isOne();

        listener.cancel();

        assertThat(stage.timers.pending()).isZero();
        assertThat(heard).hasSize(before);
        assertThat(listener.isOver()).isFalse();
    }

    @Test
    void startsAnewForEachSubscriber() {
        Multi<Output> multi =
                stage.engine.think(ScriptedFixture.turn(AgentType.ASSISTANT, "/delay 0\n/say a\n/call b\n/say c"));

        List<Output> first = collect(multi);
        assertThat(collect(multi)).isEqualTo(first).hasSize(4);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/delay 0\n/repeat 1000000 x",
                "/flood 100000",
                "/delay 0\n/repeat 500000 x\n/repeat 500000 y",
            })
    void givesMuchWithoutHoldingIt(String message) {
        long expected = message.contains("flood") ? 100_000L * 1024 : 1_000_000;
        AtomicLong all = new AtomicLong();
        TurnSubscriber greedy = new TurnSubscriber(output -> all.addAndGet(length(output)));
        stage.engine.think(ScriptedFixture.turn(AgentType.ASSISTANT, message)).subscribe(greedy);
        greedy.request(Long.MAX_VALUE);
        assertThat(greedy.isComplete()).isTrue();
        assertThat(all).hasValue(expected);

        AtomicLong oneByOne = new AtomicLong();
        TurnSubscriber[] modest = new TurnSubscriber[1];
        modest[0] = new TurnSubscriber(output -> {
            oneByOne.addAndGet(length(output));
            modest[0].request(1);
        });
        stage.engine.think(ScriptedFixture.turn(AgentType.ASSISTANT, message)).subscribe(modest[0]);
        modest[0].request(1);
        assertThat(modest[0].isComplete()).isTrue();
        assertThat(oneByOne).hasValue(expected);
    }

    @Test
    void makesNoMoreThanIsAskedFor() {
        listen("/repeat 1000000 x").request(1);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();

        listen("/repeat 1000000 x\n/flood 1000000").request(1);

        // a list of a million references alone is four times as large
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(1_000_000);
    }

    @Test
    void skipsMuchThatWasSaid() {
        var turn = ScriptedFixture.turn(AgentType.ASSISTANT, "/repeat 1000000 x\n/say end");

        assertThat(stage.play(ScriptedFixture.after(turn, List.of(), "x".repeat(999_999)))
                        .text())
                .isEqualTo("x\nend");
    }

    @Test
    void manyDirectivesThatGiveNothingDoNoHarm() {
        assertThat(stage.play("/delay 0\n".repeat(100_000) + "/say end").text()).isEqualTo("end");
        assertThat(stage.play("/wait 1ms\n".repeat(10_000)).outputs()).isEmpty();
        assertThat(stage.play("/wait 0\n".repeat(100_000)).outputs()).isEmpty();
    }

    @Test
    void pausesOnVertx() {
        Vertx vertx = Vertx.vertx();
        try {
            ScriptedEngine engine = new ScriptedEngine(vertx, ScriptedFixture.JSON, () -> Duration.ofMillis(5));
            long start = System.nanoTime();
            List<Output> outputs =
                    collect(engine.think(ScriptedFixture.turn(AgentType.ASSISTANT, "/delay 5ms\none two three")));

            assertThat(outputs).hasSize(3);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(9));
        } finally {
            vertx.close().toCompletionStage().toCompletableFuture().join();
        }
    }

    private TurnSubscriber listen(String message) {
        TurnSubscriber listener = new TurnSubscriber(heard::add);
        stage.engine.think(ScriptedFixture.turn(AgentType.ASSISTANT, message)).subscribe(listener);
        return listener;
    }

    private static List<Output> collect(Multi<Output> multi) {
        return multi.collect().asList().await().atMost(Duration.ofSeconds(10));
    }

    private static int length(Output output) {
        return ((Output.Chunk) output).text().length();
    }
}
