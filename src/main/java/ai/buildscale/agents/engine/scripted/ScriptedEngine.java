package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;

/**
 * The scripted engine stands in for a model: its outputs follow from the turn alone, with no network and no memory. It
 * replies to a message in the manner of the agent's type, unless the message has lines that begin with a slash; then it
 * plays the lines in their order, and streams those without a slash word by word.
 *
 * <pre>{@code
 * /say <text>                    the text in one chunk
 * /delay <duration>              the pause between chunks from here on: 50ms, 2s, PT1M, 0
 * /wait <duration>               a silence
 * /think <text>                  a thought
 * /call <tool> [<json>]          a call of a tool, and its observation
 * /call-fails <tool> [<json>]    the same, and the observation is a failure
 * /ask <question> [| <schema>]   a question; then the answer is repeated
 * /mode <chat|plan|build>        another mode
 * /task <text>                   the current task
 * /usage <in> <out>              tokens used
 * /repeat <n> <text>             n chunks of that text
 * /flood <n>                     n chunks of 1 kB, without a pause
 * /fail <message>                the turn fails, for good
 * /fail-once <message>           the turn fails at its first attempt, and not at the next
 * /break                         the turn fails with a reason that people do not see
 * }</pre>
 */
@ApplicationScoped
public class ScriptedEngine implements Engine {
    private static final String NAME = "scripted";

    private final Vertx vertx;
    private final ObjectMapper json;
    private final ScriptedConfig config;

    ScriptedEngine(Vertx vertx, ObjectMapper json, ScriptedConfig config) {
        this.vertx = vertx;
        this.json = json;
        this.config = config;
    }

    @Override
    public boolean serves(String model) {
        return model.equals(NAME) || model.startsWith(NAME + "-");
    }

    @Override
    public Multi<Output> think(Turn turn) {
        return Multi.createFrom()
                .<ScriptStep>iterable(() -> new ScriptPlayer(script(turn), new ReplayPosition(turn)))
                .onItem()
                .transformToUniAndConcatenate(this::play);
    }

    /** The parts of a script are built lazily, each when the previous part is over: they share a builder. */
    private Iterator<Supplier<List<ScriptStep>>> script(Turn turn) {
        Prompt prompt = Prompt.of(turn);
        ScriptBuilder script = new ScriptBuilder(turn, config.chunkDelay());
        return Directives.areIn(prompt.message())
                ? new Directives(turn, script, json).parts(prompt.message())
                : new PlainReply(turn, prompt, script, json).parts();
    }

    private Uni<Output> play(ScriptStep step) {
        return switch (step) {
            case ScriptStep.Emits(Output output, Duration silence) ->
                rest(silence).replaceWith(output);
            case ScriptStep.Silence(Duration duration) -> rest(duration).replaceWith((Output) null);
            case ScriptStep.Fails(RuntimeException failure) -> Uni.createFrom().failure(failure);
        };
    }

    /** Not Mutiny's delay: its scheduler keeps a cancelled timer, and everything that it references, until it is due. */
    private Uni<Void> rest(Duration duration) {
        if (!duration.isPositive()) {
            return Uni.createFrom().voidItem();
        }
        return Uni.createFrom().emitter(emitter -> {
            long timer = vertx.setTimer(Math.max(1, duration.toMillis()), _ -> emitter.complete(null));
            emitter.onTermination(() -> vertx.cancelTimer(timer));
        });
    }
}
