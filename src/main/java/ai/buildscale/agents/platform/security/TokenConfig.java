package ai.buildscale.agents.platform.security;

import io.quarkus.runtime.configuration.DurationConverter;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import org.eclipse.microprofile.config.spi.Converter;

/** How the tokens of the issuer are read. Whose they are is told by {@code JWT_KEYS}, {@code _ISSUER}, {@code _AUDIENCE}. */
@ConfigMapping(prefix = "jwt")
public interface TokenConfig {
    /** How often the issuer is asked for its keys: so long a key goes on that it has withdrawn. */
    @WithDefault("60S")
    @WithConverter(Lasting.class)
    Duration keysRefresh();

    /** The least time between two requests to it: so long at most a key that is new to it is not taken. */
    @WithDefault("5S")
    @WithConverter(Lasting.class)
    Duration keysRetry();

    /** A time that is longer than none. */
    class Lasting implements Converter<Duration> {
        @Override
        public Duration convert(String value) {
            Duration duration = DurationConverter.parseDuration(value.strip());
            if (duration.isPositive()) {
                return duration;
            }
            throw new IllegalArgumentException("must be longer than 0");
        }
    }
}
