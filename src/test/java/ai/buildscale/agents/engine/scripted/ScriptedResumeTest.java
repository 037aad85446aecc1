package ai.buildscale.agents.engine.scripted;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.session.AgentType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A turn that was interrupted anywhere gives what it had not given, and nothing else. */
class ScriptedResumeTest {
    private static final String ANSWER = "{\"go_on\":true,\"comment\":\"quickly\"}";
    private static final String RICH = """
        Let us begin, dear 😀 friends.
        /task First
        /think This is hard
        /think Or is it
        /wait 1s
        /call search {"q":"a"}
        /mode plan
        /repeat 3 abc\s
        /call-fails build {}
        /task Second
        /usage 1 2
        /ask How? | {"type":"object"}
        /unknown
        /ask Really?
        /fail-once Not now
        /call search {"q":"b"}
        /delay 5s
        The end comes
        /task Third
        /mode chat
        /usage 3 4
        """;

    private final ScriptedFixture stage = new ScriptedFixture();

    static List<Turn> turns() {
        List<HistoryEntry> before = List.of(
                new HistoryEntry(ScriptedFixture.EARLIER, EntryKind.USER, "Hi", "{}"),
                new HistoryEntry(ScriptedFixture.EARLIER, EntryKind.THOUGHT, "of an earlier turn", "{}"),
                new HistoryEntry(ScriptedFixture.EARLIER, EntryKind.CALL, "search", "{}"),
                new HistoryEntry(ScriptedFixture.EARLIER, EntryKind.ASSISTANT, "1. dig\n2. plant", "{}"));
        List<Turn> turns = new ArrayList<>();
        for (AgentType type : AgentType.values()) {
            Turn fresh = ScriptedFixture.turn(type, "Move the shop and tell people", before);
            turns.add(fresh);
        }
        Turn rich = ScriptedFixture.turn(AgentType.ASSISTANT, RICH, before);
        turns.add(ScriptedFixture.turn(rich.agentType(), null, rich.history(), "", 2));
        return turns;
    }

    @ParameterizedTest
    @MethodSource("turns")
    void goesOnAfterEveryOutput(Turn turn) {
        List<Output> whole = life(turn);

        assertThat(whole).hasSizeGreaterThan(10);
        for (int cut = 0; cut <= whole.size(); cut++) {
            List<Output> before = whole.subList(0, cut);
            assertThat(life(resumed(turn, before, "")))
                    .as("after %s", before)
                    .isEqualTo(whole.subList(reached(before), whole.size()));
        }
    }

    @ParameterizedTest
    @MethodSource("turns")
    void goesOnWithinEveryChunk(Turn turn) {
        List<Output> whole = life(turn);

        for (int cut = 0; cut < whole.size(); cut++) {
            if (whole.get(cut) instanceof Output.Chunk(String text)) {
                for (int end = 1; end < text.length(); end++) {
                    List<Output> rest = new ArrayList<>(whole.subList(cut, whole.size()));
                    rest.set(0, new Output.Chunk(text.substring(end)));
                    Turn resumed = resumed(turn, whole.subList(0, cut), text.substring(0, end));
                    assertThat(life(resumed)).isEqualTo(rest);
                }
            }
        }
    }

    @Test
    void makesACallAgainThatHasNoObservation() {
        Turn turn = ScriptedFixture.turn(AgentType.ASSISTANT, "/call a\n/call b\n/say done");
        List<Output> whole = stage.play(turn).outputs();

        Turn resumed = resumed(turn, whole.subList(0, 3), "");
        assertThat(stage.play(resumed).outputs().getFirst())
                .isEqualTo(new Output.Call(ScriptedFixture.TURN + ":1", "b", "{}"))
                .isEqualTo(whole.get(2));
    }

    @Test
    void hasNothingToAddToAWholeAnswer() {
        Turn turn = ScriptedFixture.turn(AgentType.ASSISTANT, "/say all\n/wait 1h\n/say of it");

        assertThat(stage.play(ScriptedFixture.after(turn, List.of(), "all\nof it"))
                        .outputs())
                .isEmpty();
        assertThat(stage.play(ScriptedFixture.after(turn, List.of(), "all\nof it and more"))
                        .outputs())
                .isEmpty();
        assertThat(stage.timers.elapsed()).isZero();
    }

    /** All that comes from here on; each question is answered. */
    private List<Output> life(Turn turn) {
        List<Output> all = new ArrayList<>();
        Turn now = turn;
        while (true) {
            ScriptedFixture.Played played = stage.play(now);
            assertThat(played.failure()).isNull();
            all.addAll(played.outputs());
            if (played.outputs().isEmpty() || !(played.outputs().getLast() instanceof Output.Question)) {
                return all;
            }
            now = resumed(now, played.outputs(), "");
        }
    }

    private static Turn resumed(Turn turn, List<Output> before, String more) {
        List<HistoryEntry> done = new ArrayList<>();
        StringBuilder said = new StringBuilder();
        for (Output output : before) {
            switch (output) {
                case Output.Chunk(String text) -> said.append(text);
                case Output.Thought(String text) -> done.add(ScriptedFixture.entry(EntryKind.THOUGHT, text));
                case Output.Call call -> done.add(ScriptedFixture.entry(EntryKind.CALL, call.tool()));
                case Output.Observation seen -> done.add(ScriptedFixture.entry(EntryKind.OBSERVATION, seen.output()));
                case Output.Question question -> {
                    done.add(ScriptedFixture.entry(EntryKind.QUESTION, question.text()));
                    done.add(ScriptedFixture.entry(EntryKind.ANSWER, ANSWER));
                }
                case Output.ModeChange _, Output.CurrentTask _, Output.TokenUsage _ -> {}
            }
        }
        return ScriptedFixture.after(turn, done, said + more);
    }

    /** The first output that must come again: what leaves no trace does, after the last that does, and an open call. */
    private static int reached(List<Output> before) {
        for (int i = before.size(); i > 0; i--) {
            switch (before.get(i - 1)) {
                case Output.ModeChange _, Output.CurrentTask _, Output.TokenUsage _ -> {}
                case Output.Call _ -> {
                    return i - 1;
                }
                default -> {
                    return i;
                }
            }
        }
        return 0;
    }
}
