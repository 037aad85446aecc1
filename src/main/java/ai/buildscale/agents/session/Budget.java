package ai.buildscale.agents.session;

import io.quarkus.runtime.annotations.RegisterForReflection;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The budget of a session, beyond which it is paused; null is no limit.
 *
 * @param maxTurns turns it may begin
 * @param maxTokens tokens in and out
 * @param maxSeconds the time in which its turns run
 */
@RegisterForReflection
public record Budget(
        @Min(0) @Schema(nullable = true, examples = "100") Integer maxTurns,

        @Min(0) @Max(Long.MAX_VALUE / 2) @Schema(nullable = true, examples = "1000000")
        Long maxTokens,

        @Min(0) @Max(100_000_000_000L) @Schema(nullable = true, examples = "3600")
        Long maxSeconds) {}
