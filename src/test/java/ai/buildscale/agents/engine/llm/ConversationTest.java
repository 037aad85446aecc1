package ai.buildscale.agents.engine.llm;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.session.AgentType;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What a model is told of a turn. */
class ConversationTest {
    private static final String GO_ON = "user: Your answer was interrupted.";

    private static List<String> told(Turn turn) {
        return told(new Conversation(turn, 10));
    }

    private static List<String> told(Conversation conversation) {
        return conversation.messages().stream()
                .skip(1)
                .map(ConversationTest::written)
                .toList();
    }

    private static String written(ChatMessage message) {
        return switch (message) {
            case SystemMessage system -> "system: " + system.text();
            case UserMessage user ->
                "user: " + user.singleText().lines().findFirst().orElse("").split("(?<=interrupted\\.) ", 2)[0];
            case AiMessage agent
            when agent.hasToolExecutionRequests() ->
                "agent: " + agent.text() + " calls "
                        + agent.toolExecutionRequests().getFirst().name()
                        + agent.toolExecutionRequests().getFirst().arguments();
            case AiMessage agent -> "agent: " + agent.text();
            case ToolExecutionResultMessage result -> "result: " + result.text();
            default -> message.toString();
        };
    }

    private static Turn after(Turn turn, HistoryEntry... earlier) {
        List<HistoryEntry> history = new ArrayList<>(List.of(earlier));
        history.addAll(turn.history());
        return new Turn(
                turn.id(),
                turn.sessionId(),
                turn.chatId(),
                turn.agentType(),
                turn.mode(),
                turn.model(),
                "World peace",
                history,
                turn.answerSoFar(),
                turn.attempt(),
                turn.span());
    }

    private static HistoryEntry entry(UUID turn, EntryKind kind, String text) {
        return new HistoryEntry(turn, kind, text, "{}");
    }

    @Test
    void beginsWithWhoItIsAndWhatFor() {
        ChatMessage first = new Conversation(after(LlmFixture.turn(AgentType.PLANNER, "Hi")), 10)
                .messages()
                .getFirst();

        assertThat(((SystemMessage) first).text())
                .startsWith("You are a planner.")
                .contains("plan mode")
                .endsWith("The goal of this chat: World peace");
    }

    @Test
    void tellsTheTurnsBefore() {
        UUID one = UUID.randomUUID();
        UUID two = UUID.randomUUID();
        Turn turn = after(
                LlmFixture.turn("And now?"),
                entry(one, EntryKind.USER, "First"),
                entry(one, EntryKind.THOUGHT, "Hm"),
                entry(one, EntryKind.ASSISTANT, "One"),
                entry(two, EntryKind.USER, "Second"),
                entry(two, EntryKind.ASSISTANT, "Two"));

        assertThat(told(turn))
                .containsExactly("user: First", "agent: One", "user: Second", "agent: Two", "user: And now?");
        assertThat(told(new Conversation(turn, 1))).containsExactly("user: Second", "agent: Two", "user: And now?");
    }

    @Test
    void tellsTheCallsOfATurnBeforeWhereTheyWereMade() {
        UUID one = UUID.randomUUID();
        Turn turn = after(
                LlmFixture.turn("And now?"),
                entry(one, EntryKind.USER, "First"),
                new HistoryEntry(one, EntryKind.CALL, "look", "{\"call_id\":\"a\",\"args\":{\"x\":1},\"offset\":4}"),
                new HistoryEntry(one, EntryKind.OBSERVATION, "seen", "{\"call_id\":\"a\",\"success\":true}"),
                new HistoryEntry(one, EntryKind.CALL, "look", "{\"call_id\":\"b\",\"args\":{},\"offset\":4}"),
                entry(one, EntryKind.ASSISTANT, "See: nothing"));

        assertThat(told(turn))
                .containsExactly(
                        "user: First",
                        "agent: See: calls look{\"x\":1}",
                        "result: seen",
                        "agent: null calls look{}",
                        "result: It was interrupted, and has no result.",
                        "agent:  nothing",
                        "user: And now?");
    }

    @Test
    void isTheSameWhetherItWasLivedThroughOrRead() {
        Turn turn = LlmFixture.turn("Hi");
        Conversation lived = new Conversation(turn, 10);
        lived.record(new Output.Chunk("Let me see. "));
        lived.record(new Output.Call(lived.nextCallId(), "look", "{\"x\":1}"));
        lived.record(new Output.Observation(turn.callId(0), "seen", true));
        lived.record(new Output.Chunk("It is th"));

        Turn read = LlmFixture.again(
                turn,
                "Let me see. It is th",
                LlmFixture.call(turn, 0, "look", "{\"x\":1}", 12),
                LlmFixture.observation(turn, 0, "seen"));

        assertThat(told(lived))
                .isEqualTo(told(read))
                .containsExactly(
                        "user: Hi",
                        "agent: Let me see.  calls look{\"x\":1}",
                        "result: seen",
                        "agent: It is th",
                        GO_ON);
        assertThat(new Conversation(read, 10).nextCallId())
                .isEqualTo(lived.nextCallId())
                .isEqualTo(turn.callId(1));
    }

    @Test
    void tellsAQuestionThatNoCallAsked() {
        Turn turn = LlmFixture.turn("Hi");

        assertThat(told(LlmFixture.again(
                        turn, "", LlmFixture.question(turn, "q", "Sure?"), LlmFixture.answer(turn, "q", "true"))))
                .containsExactly("user: Hi", "agent: null calls ask_user{\"question\":\"Sure?\"}", "result: true");
    }

    @Test
    void findsTheAnswerToEachQuestion() {
        Turn turn = LlmFixture.turn("Hi");
        String first = "{\"question\":\"1?\"}";
        String second = "{\"question\":\"2?\"}";

        Turn asked = LlmFixture.again(
                turn,
                "",
                LlmFixture.call(turn, 0, "ask_user", first, 0),
                LlmFixture.question(turn, "q1", "1?"),
                LlmFixture.answer(turn, "q1", "\"one\""),
                LlmFixture.observation(turn, 0, "\"one\""),
                LlmFixture.call(turn, 1, "ask_user", second, 0),
                LlmFixture.question(turn, "q2", "2?"),
                LlmFixture.answer(turn, "q2", "\"two\""));

        assertThat(told(asked))
                .filteredOn(line -> line.startsWith("result"))
                .containsExactly("result: \"one\"", "result: \"two\"");
        assertThat(new Conversation(asked, 10).openCalls())
                .containsExactly(
                        new Conversation.OpenCall(new Output.Call(turn.callId(1), "ask_user", second), "\"two\""));
    }

    @Test
    void outlivesDataThatIsWrong() {
        Turn turn = LlmFixture.turn("Hi");
        HistoryEntry wrong =
                new HistoryEntry(turn.id(), EntryKind.CALL, "look here!", "{\"call_id\":\"a\",\"offset\":99}");
        HistoryEntry broken = new HistoryEntry(turn.id(), EntryKind.OBSERVATION, "seen", "nonsense");

        assertThat(told(LlmFixture.again(turn, "Said", wrong, broken)))
                .containsExactly(
                        "user: Hi", "agent: Said calls look_here_{}", "result: It was interrupted, and has no result.");
    }
}
