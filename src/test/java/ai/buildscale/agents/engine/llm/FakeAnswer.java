package ai.buildscale.agents.engine.llm;

import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;

/** An answer of a {@link FakeProvider} to one request; it completes unless it says otherwise. */
public final class FakeAnswer {
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

    private FakeAnswer(int status) {
        this.status = status;
    }

    /** Says this, in these pieces. */
    public static FakeAnswer says(String... pieces) {
        return new FakeAnswer(200).then(pieces);
    }

    /** Calls a tool with arguments in these fragments. */
    public static FakeAnswer calls(String tool, String... args) {
        return new FakeAnswer(200).thenCalls(tool, args);
    }

    /** Refuses. */
    public static FakeAnswer status(int status) {
        return new FakeAnswer(status);
    }

    /** Takes the request and says nothing at all. */
    public static FakeAnswer never() {
        FakeAnswer answer = new FakeAnswer(200);
        answer.never = true;
        return answer;
    }

    /** Takes the request and closes the connection. */
    public static FakeAnswer hangsUp() {
        return new FakeAnswer(200).cuts();
    }

    public FakeAnswer thinks(String thought) {
        steps.add(new Step.Thought(thought));
        return this;
    }

    public FakeAnswer then(String... pieces) {
        for (String piece : pieces) {
            steps.add(new Step.Text(piece));
        }
        return this;
    }

    public FakeAnswer thenCalls(String tool, String... args) {
        steps.add(new Step.Call(tool, List.of(args)));
        return this;
    }

    public FakeAnswer raw(String bytes) {
        steps.add(new Step.Raw(bytes));
        return this;
    }

    /** Falls silent, for good. */
    public FakeAnswer stalls() {
        steps.add(new Step.Wait(Future.future(_ -> {})));
        return this;
    }

    public FakeAnswer waitsFor(CompletionStage<?> stage) {
        steps.add(new Step.Wait(Future.fromCompletionStage(stage)));
        return this;
    }

    /** The connection breaks here. */
    public FakeAnswer cuts() {
        steps.add(new Step.Cut());
        return this;
    }

    /** It ends here, without saying so in the provider's protocol. */
    public FakeAnswer endsEarly() {
        endsEarly = true;
        return this;
    }

    public FakeAnswer header(String name, String value) {
        headers.put(name, value);
        return this;
    }

    public FakeAnswer body(String text) {
        body = text;
        return this;
    }

    public FakeAnswer uses(long input, long output) {
        inputTokens = input;
        outputTokens = output;
        return this;
    }

    boolean callsTools() {
        return steps.stream().anyMatch(Step.Call.class::isInstance);
    }
}
