package ai.buildscale.agents.engine.llm;

import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;

/** How a {@link FakeProvider} answers one request; it ends well unless it says otherwise. */
public final class Answer {
    /** Something on the way. */
    sealed interface Step {
        record Text(String text) implements Step {}

        record Thought(String text) implements Step {}

        /** A tool is called; its arguments come in these fragments. */
        record Call(String tool, List<String> args) implements Step {}

        /** Bytes as they are. */
        record Raw(String bytes) implements Step {}

        record Wait(Future<?> until) implements Step {}

        /** The connection breaks. */
        record Cut() implements Step {}
    }

    final int status;
    final Map<String, String> headers = new TreeMap<>();
    final List<Step> steps = new ArrayList<>();
    String body = "";
    boolean never;
    boolean endsEarly;
    long inputTokens = 1;
    long outputTokens = 1;

    private Answer(int status) {
        this.status = status;
    }

    /** Says this, in these pieces. */
    public static Answer says(String... pieces) {
        return new Answer(200).then(pieces);
    }

    /** Calls a tool with arguments in these fragments. */
    public static Answer calls(String tool, String... args) {
        return new Answer(200).thenCalls(tool, args);
    }

    /** Refuses. */
    public static Answer status(int status) {
        return new Answer(status);
    }

    /** Takes the request and says nothing at all. */
    public static Answer never() {
        Answer answer = new Answer(200);
        answer.never = true;
        return answer;
    }

    /** Takes the request and closes the connection. */
    public static Answer hangsUp() {
        return new Answer(200).cuts();
    }

    public Answer thinks(String thought) {
        steps.add(new Step.Thought(thought));
        return this;
    }

    public Answer then(String... pieces) {
        for (String piece : pieces) {
            steps.add(new Step.Text(piece));
        }
        return this;
    }

    public Answer thenCalls(String tool, String... args) {
        steps.add(new Step.Call(tool, List.of(args)));
        return this;
    }

    public Answer raw(String bytes) {
        steps.add(new Step.Raw(bytes));
        return this;
    }

    /** Falls silent, for good. */
    public Answer stalls() {
        steps.add(new Step.Wait(Future.future(_ -> {})));
        return this;
    }

    public Answer waitsFor(CompletionStage<?> stage) {
        steps.add(new Step.Wait(Future.fromCompletionStage(stage)));
        return this;
    }

    /** The connection breaks here. */
    public Answer cuts() {
        steps.add(new Step.Cut());
        return this;
    }

    /** It ends here, without saying so in the provider's protocol. */
    public Answer endsEarly() {
        endsEarly = true;
        return this;
    }

    public Answer header(String name, String value) {
        headers.put(name, value);
        return this;
    }

    public Answer body(String text) {
        body = text;
        return this;
    }

    public Answer uses(long input, long output) {
        inputTokens = input;
        outputTokens = output;
        return this;
    }

    boolean callsTools() {
        return steps.stream().anyMatch(Step.Call.class::isInstance);
    }
}
