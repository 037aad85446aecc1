package ai.buildscale.agents.platform.security;

import io.quarkus.runtime.configuration.DurationConverter;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.List;
import org.eclipse.microprofile.config.spi.Converter;

/** Settings of the issuer's tokens. Which one that is tell {@code JWT_KEYS}, {@code _ISSUER} and {@code _AUDIENCE}. */
@ConfigMapping(prefix = "jwt")
public interface TokenConfig {
    /** Where a token tells the caller's groups: all of these claims together, each a name or a path with slashes. */
    @WithDefault("groups")
    List<@WithConverter(Claim.class) String> groupsClaim();

    /** Where a token tells the user, as a name or a path with slashes. */
    @WithDefault("sub")
    @WithConverter(Claim.class)
    String userIdClaim();

    @WithDefault("claim")
    UserId userId();

    /** How often the issuer is asked for its keys: so long a key goes on that it has withdrawn. */
    @WithDefault("60S")
    @WithConverter(Lasting.class)
    Duration keysRefresh();

    /** The least time between two requests to it: so long at most a key that is new to it is not taken. */
    @WithDefault("5S")
    @WithConverter(Lasting.class)
    Duration keysRetry();

    /** What is made of the claim that tells the user. */
    enum UserId {
        /** It is the id, a UUID. */
        CLAIM,
        /** The id is the UUIDv5 of issuer and claim: for issuers that have no UUID for a user. */
        DERIVED
    }

    /** The place of a claim. */
    class Claim implements Converter<String> {
        @Override
        public String convert(String value) {
            if (value.isBlank()) {
                throw new IllegalArgumentException("must name a claim");
            }
            return value.strip();
        }
    }

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
