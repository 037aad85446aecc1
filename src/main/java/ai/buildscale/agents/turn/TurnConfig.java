package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.IntRange;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import org.eclipse.microprofile.config.spi.Converter;

/** Settings of turns and of the agents that run them; they share the prefix of the chats' settings. */
@ConfigMapping(prefix = "chat")
public interface TurnConfig {
    /** The time without work after which an agent is passivated: its memory is freed until the next message. */
    @WithDefault("10M")
    Duration passivateAfter();

    /** How often a turn is begun, counted anew each time its server is lost, before it fails. */
    @WithDefault("3")
    @WithConverter(IntRange.Positive.class)
    int maxAttempts();

    /** The entries of a chat's history that an engine gets; the oldest are left out. */
    @WithDefault("200")
    @WithConverter(History.class)
    int history();

    /** The longest answer, in UTF-16 units; a turn that says more fails. */
    @WithDefault("262144")
    @WithConverter(AnswerLength.class)
    int maxAnswer();

    /** The messages that may wait for an agent; the next is refused. */
    @WithDefault("10000")
    @WithConverter(Mailbox.class)
    int mailbox();

    /** How often what agents say is shown to those who follow, at most. */
    @WithDefault("0.05S")
    Duration chunkInterval();

    /** How long a hand-over waits for a running turn to come to its end or its next step. */
    @WithDefault("1S")
    Duration safePointWait();

    /** Bounds of {@link #history}. */
    class History implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return IntRange.between(1, 2_000, value);
        }
    }

    /** Bounds of {@link #mailbox}: the end of a session tells of each in one statement, see {@link TurnCloseSql#ENDS}. */
    class Mailbox implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return IntRange.between(1, 10_000, value);
        }
    }

    /** Bounds of {@link #maxAnswer}. */
    class AnswerLength implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return IntRange.between(1_000, 1_048_576, value);
        }
    }
}
