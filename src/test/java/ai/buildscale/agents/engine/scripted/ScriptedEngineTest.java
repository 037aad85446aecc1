package ai.buildscale.agents.engine.scripted;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScriptedEngineTest {
    private final ScriptedFixture stage = new ScriptedFixture();

    @ParameterizedTest
    @CsvSource({
        "scripted, true",
        "scripted-slow, true",
        "scripted-, true",
        "scripts, false",
        "scriptedness, false",
        "gpt, false"
    })
    void servesItsOwnModels(String model, boolean served) {
        assertThat(stage.engine.serves(model)).isEqualTo(served);
    }

    @Test
    void saysPlainLinesWordByWord() {
        ScriptedFixture.Played played = stage.play("/say First.\n\n  one two  three \r\nfour\n/say /last");

        assertThat(played.outputs())
                .containsExactly(
                        chunk("First."),
                        chunk("\none "),
                        chunk("two  "),
                        chunk("three"),
                        chunk("\nfour"),
                        chunk("\n/last"));
    }

    @Test
    void pausesBetweenChunks() {
        stage.play("/task none\none two three");
        assertThat(stage.timers.elapsed()).isEqualTo(ScriptedFixture.PACE.multipliedBy(2));

        ScriptedFixture another = new ScriptedFixture();
        another.play("/delay 2s\none two three\n/delay 0\nfour five\n/delay PT0.5S\nsix");
        assertThat(another.timers.elapsed()).isEqualTo(Duration.ofMillis(4_500));
    }

    @ParameterizedTest
    @CsvSource({"50ms, PT0.05S", "2s, PT2S", "3m, PT3M", "24h, PT24H", "PT1M1S, PT61S", "0, PT0S"})
    void waits(String written, Duration duration) {
        ScriptedFixture.Played played = stage.play("/wait " + written + "\n/task it");

        assertThat(played.outputs()).containsExactly(new Output.CurrentTask("it"));
        assertThat(stage.timers.elapsed()).isEqualTo(duration);
    }

    @Test
    void waitsAtTheEndToo() {
        assertThat(stage.play("/wait 5s").outputs()).isEmpty();
        assertThat(stage.timers.elapsed()).isEqualTo(Duration.ofSeconds(5));
    }

    @Test
    void thinksChangesModeNamesItsTaskAndCountsTokens() {
        ScriptedFixture.Played played = stage.play("/think so be it\n/mode plan\n/task Do it\n/usage 12 3456");

        assertThat(played.outputs())
                .containsExactly(
                        new Output.Thought("so be it"),
                        new Output.ModeChange(Mode.PLAN),
                        new Output.CurrentTask("Do it"),
                        new Output.TokenUsage(12, 3456));
    }

    @Test
    void callsTools() throws Exception {
        ScriptedFixture.Played played = stage.play("/call search { \"q\" : [1, \"a b\"] }\n/call-fails build");

        String first = ScriptedFixture.TURN + ":0";
        String second = ScriptedFixture.TURN + ":1";
        assertThat(played.outputs()).hasSize(4);
        assertThat(played.outputs().get(0)).isEqualTo(new Output.Call(first, "search", "{\"q\":[1,\"a b\"]}"));
        Output.Observation found = (Output.Observation) played.outputs().get(1);
        assertThat(found.id()).isEqualTo(first);
        assertThat(found.success()).isTrue();
        assertThat(ScriptedFixture.JSON.readTree(found.output()))
                .isEqualTo(ScriptedFixture.JSON.readTree(
                        "{\"tool\":\"search\",\"args\":{\"q\":[1,\"a b\"]},\"call_id\":\"" + first + "\"}"));
        assertThat(played.outputs().get(2)).isEqualTo(new Output.Call(second, "build", "{}"));
        Output.Observation failed = (Output.Observation) played.outputs().get(3);
        assertThat(failed.id()).isEqualTo(second);
        assertThat(failed.success()).isFalse();
        assertThat(ScriptedFixture.JSON.readTree(failed.output()).path("error").isTextual())
                .isTrue();
    }

    @Test
    void asksAndGoesOnWithTheAnswer() {
        Turn turn = ScriptedFixture.turn(
                AgentType.ASSISTANT, "/say Well.\n/ask Which colour? | {\"enum\": [\"a|b\"]}\n/ask Sure?\nBye.");
        Output which = new Output.Question("Which colour?", "{\"enum\":[\"a|b\"]}");
        Output sure = new Output.Question("Sure?", "{\"type\":\"string\"}");

        assertThat(stage.play(turn).outputs()).containsExactly(chunk("Well."), which);

        List<HistoryEntry> first = List.of(
                ScriptedFixture.entry(EntryKind.QUESTION, "Which colour?"),
                ScriptedFixture.entry(EntryKind.ANSWER, "\"green\""));
        Turn answered = ScriptedFixture.after(turn, first, "Well.");
        assertThat(stage.play(answered).outputs()).containsExactly(chunk("\nThe answer is: \"green\""), sure);

        List<HistoryEntry> second = List.of(
                ScriptedFixture.entry(EntryKind.QUESTION, "Sure?"), ScriptedFixture.entry(EntryKind.ANSWER, "\"yes\""));
        Turn answeredAgain = ScriptedFixture.after(answered, second, "\nThe answer is: \"green\"");
        assertThat(stage.play(answeredAgain).outputs())
                .containsExactly(chunk("\nThe answer is: \"yes\""), chunk("\nBye."));
    }

    @Test
    void asksNothingTwice() {
        Turn turn = ScriptedFixture.turn(AgentType.ASSISTANT, "/ask Sure?\nBye.");

        assertThat(stage.play(ScriptedFixture.after(
                                turn, List.of(ScriptedFixture.entry(EntryKind.QUESTION, "Sure?")), ""))
                        .outputs())
                .isEmpty();
    }

    @Test
    void repeatsAndFloods() {
        assertThat(stage.play("/repeat 3 x \nend").outputs())
                .containsExactly(chunk("x "), chunk("x "), chunk("x "), chunk("\nend"));
        Duration before = stage.timers.elapsed();
        assertThat(before).isEqualTo(ScriptedFixture.PACE.multipliedBy(3));

        assertThat(stage.play("/flood 5").outputs())
                .hasSize(5)
                .allSatisfy(output ->
                        assertThat(((Output.Chunk) output).text()).hasSize(1024).isASCII());
        assertThat(stage.timers.elapsed()).isEqualTo(before);
    }

    @Test
    void failsForGood() {
        ScriptedFixture.Played played = stage.play("/say a\n/wait 1s\n/fail The limit is reached\n/say b");

        assertThat(played.text()).isEqualTo("a");
        assertThat(stage.timers.elapsed()).isEqualTo(Duration.ofSeconds(1));
        assertThat(played.failure()).isInstanceOfSatisfying(EngineFailure.class, failure -> {
            assertThat(failure).hasMessage("The limit is reached");
            assertThat(failure.isPassing()).isFalse();
        });
    }

    @Test
    void failsOnce() {
        Turn turn = ScriptedFixture.turn(AgentType.ASSISTANT, "/say a\n/fail-once Too busy\n/say b");
        ScriptedFixture.Played first = stage.play(turn);
        ScriptedFixture.Played second =
                stage.play(ScriptedFixture.turn(AgentType.ASSISTANT, null, turn.history(), "a", 2));

        assertThat(first.failure()).isInstanceOfSatisfying(EngineFailure.class, failure -> {
            assertThat(failure).hasMessage("Too busy");
            assertThat(failure.isPassing()).isTrue();
        });
        assertThat(second.failure()).isNull();
        assertThat(second.outputs()).containsExactly(chunk("\nb"));
    }

    @Test
    void breaks() {
        ScriptedFixture.Played played = stage.play("/say a\n/break");

        assertThat(played.text()).isEqualTo("a");
        assertThat(played.failure()).isInstanceOf(RuntimeException.class).isNotInstanceOf(EngineFailure.class);
    }

    @Test
    void saysWhatItDoesNotKnow() {
        assertThat(stage.play("/foo bar\n/say on").text())
                .startsWith("I do not know /foo. I know: /say, /delay, ")
                .endsWith(".\non");
        assertThat(stage.play("/").text()).startsWith("I do not know /. I know: ");
        assertThat(stage.play("/SAY x").text()).startsWith("I do not know /SAY.");
    }

    @ParameterizedTest
    @EnumSource(Directive.class)
    void namesEveryDirectiveThatItKnows(Directive directive) {
        assertThat(stage.play("/foo").text()).contains(directive.toString());
        assertThat(stage.play(directive + " ").text()).doesNotContain("do not know");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/say",
                "/say   ",
                "/delay",
                "/delay -5s",
                "/delay PT-5S",
                "/delay 25h",
                "/delay 999999999h",
                "/delay 99999999999999999999ms",
                "/delay PT99999999999999999999H",
                "/delay soon",
                "/wait -1",
                "/wait P365D",
                "/think",
                "/call",
                "/call tool not json",
                "/call tool [1]",
                "/call tool {\"a\":1,\"a\":2}",
                "/call tool {} {}",
                "/call-fails",
                "/call-fails tool {",
                "/ask",
                "/ask | {}",
                "/ask Well? | nothing",
                "/mode",
                "/mode fly",
                "/task",
                "/usage",
                "/usage 1",
                "/usage -1 5",
                "/usage 1 99999999999999999999",
                "/repeat",
                "/repeat 3",
                "/repeat 0 x",
                "/repeat -3 x",
                "/repeat 1000001 x",
                "/repeat 99999999999999999999999 x",
                "/repeat x 3",
                "/flood",
                "/flood -1",
                "/flood 2147483648",
                "/fail",
                "/fail-once"
            })
    void saysWhatIsWrongAndGoesOn(String line) {
        ScriptedFixture.Played played = stage.play(line + "\n/say on");

        assertThat(played.failure()).isNull();
        assertThat(played.outputs()).hasSize(2).allMatch(Output.Chunk.class::isInstance);
        assertThat(played.text())
                .startsWith(line.strip().split(" ", 2)[0] + ": the ")
                .endsWith("\non")
                .hasSizeLessThan(200);
    }

    @Test
    void theAssistantQuotesAndRemembers() {
        Turn first = ScriptedFixture.turn(AgentType.ASSISTANT, "How are\nyou?");
        Turn third = ScriptedFixture.turn(AgentType.ASSISTANT, "And now?", past("Hi", "Hello", "Well?", "Yes."));

        ScriptedFixture.Played played = stage.play(first);
        assertThat(played.text()).isEqualTo("Hello! You said: “How are you?”. This is the first message of our chat.");
        assertThat(played.outputs()).startsWith(chunk("Hello! "), chunk("You "), chunk("said: "));
        assertThat(played.outputs()).endsWith(chunk("chat."), new Output.TokenUsage(3, 18));
        assertThat(stage.play(third).text()).endsWith("Our chat has had 4 messages before it.");
    }

    @Test
    void theAssistantKeepsItShort() {
        assertThat(stage.play("😀".repeat(100_000)).text()).hasSizeLessThan(300).contains("😀…”");
        assertThat(stage.play("x" + "😀".repeat(100_000)).text())
                .hasSizeLessThan(300)
                .contains("😀…”");
        assertThat(stage.play(" ".repeat(500_000)).text()).contains("“”");
        assertThat(stage.play("").failure()).isNull();
    }

    @Test
    void thePlannerAsksBeforeItGoesOn() {
        Turn turn = ScriptedFixture.turn(AgentType.PLANNER, "Move the shop, keep the orders and tell people");
        ScriptedFixture.Played asked = stage.play(turn);

        assertThat(asked.outputs().getFirst()).isInstanceOf(Output.Thought.class);
        assertThat(asked.text()).isEqualTo("""
                        This is my plan:
                        1. Find out what is there already
                        2. Move the shop
                        3. keep the orders
                        4. tell people
                        5. Check that it is as it should be""");
        assertThat(asked.outputs().getLast())
                .isEqualTo(
                        new Output.Question(
                                "Shall I go on with this plan?",
                                "{\"type\":\"object\",\"properties\":{\"go_on\":{\"type\":\"boolean\"},\"comment\":{\"type\":\"string\"}},\"required\":[\"go_on\"]}"));

        ScriptedFixture.Played yes = stage.play(answered(turn, asked, "{\"go_on\":true}"));
        assertThat(yes.outputs()).startsWith(new Output.ModeChange(Mode.BUILD), chunk("\nThe "));
        assertThat(yes.outputs().getLast()).isInstanceOf(Output.TokenUsage.class);
        ScriptedFixture.Played no = stage.play(answered(turn, asked, "{\"go_on\":false,\"comment\":\"too dear\"}"));
        assertThat(no.text()).isEqualTo("\nI stay with planning. You said: “too dear”.");
        assertThat(no.outputs()).noneMatch(Output.ModeChange.class::isInstance);
        assertThat(stage.play(answered(turn, asked, "neither JSON nor yes")).text())
                .isEqualTo("\nI stay with planning.");
    }

    @ParameterizedTest
    @CsvSource({"'', 3", "a goal, 3", "'one, two', 4", "'a, b, c, d and e', 5"})
    void thePlannerMakesThreeToFiveSteps(String goal, int steps) {
        Turn turn = ScriptedFixture.turn(AgentType.PLANNER, "?");
        Turn withGoal = ScriptedFixture.turn(AgentType.PLANNER, goal, turn.history(), "", 1);

        assertThat(NumberedPlan.in(stage.play(withGoal).text())).hasSize(steps);
    }

    @Test
    void theBuilderTakesTheStepsOfTheMessage() {
        ScriptedFixture.Played played = stage.play(ScriptedFixture.turn(
                AgentType.BUILDER, "Do\n 1. dig \n2) plant a tree", past("1. not this", "1. nor this\n2. nor that")));

        String id = ScriptedFixture.TURN + ":1";
        assertThat(played.outputs().stream().filter(Output.CurrentTask.class::isInstance))
                .containsExactly(
                        new Output.CurrentTask("Step 1 of 2: dig"),
                        new Output.CurrentTask("Step 2 of 2: plant a tree"));
        assertThat(played.outputs())
                .contains(new Output.Call(id, "run_step", "{\"step\":2,\"description\":\"plant a tree\"}"));
        assertThat(played.text())
                .isEqualTo("Step 1 is done: dig\nStep 2 is done: plant a tree\nThat was the last step, of 2.");
        assertThat(played.outputs().getLast()).isInstanceOf(Output.TokenUsage.class);
    }

    @Test
    void theBuilderTakesTheNewestPlanElse() {
        List<HistoryEntry> before = past("Plan", "1. old", "Again", "Look:\n1. new\n2. newer", "Go", "I shall.");

        assertThat(stage.play(ScriptedFixture.turn(AgentType.BUILDER, "Begin", before))
                        .text())
                .startsWith("Step 1 is done: new\nStep 2 is done: newer\n");
        assertThat(stage.play(ScriptedFixture.turn(AgentType.BUILDER, "Begin")).outputs())
                .filteredOn(Output.CurrentTask.class::isInstance)
                .hasSize(3);
    }

    @Test
    void saysTheSameEachTime() {
        for (AgentType type : AgentType.values()) {
            Turn turn = ScriptedFixture.turn(type, "Do this and that", past("Hi", "Hello"));
            assertThat(new ScriptedFixture().play(turn)).isEqualTo(stage.play(turn));
            assertThat(stage.play(turn)).isEqualTo(new ScriptedFixture().play(turn));
        }
    }

    private static Turn answered(Turn turn, ScriptedFixture.Played asked, String answer) {
        List<HistoryEntry> done = List.of(
                ScriptedFixture.entry(EntryKind.THOUGHT, "…"),
                ScriptedFixture.entry(EntryKind.QUESTION, "…"),
                ScriptedFixture.entry(EntryKind.ANSWER, answer));
        return ScriptedFixture.after(turn, done, asked.text());
    }

    /** Messages of people and answers in turn. */
    private static List<HistoryEntry> past(String... texts) {
        return IntStream.range(0, texts.length)
                .mapToObj(i -> new HistoryEntry(
                        ScriptedFixture.EARLIER, i % 2 == 0 ? EntryKind.USER : EntryKind.ASSISTANT, texts[i], "{}"))
                .toList();
    }

    private static Output.Chunk chunk(String text) {
        return new Output.Chunk(text);
    }
}
