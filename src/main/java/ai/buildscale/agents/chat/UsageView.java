package ai.buildscale.agents.chat;

import io.quarkus.runtime.annotations.RegisterForReflection;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The usage of a workspace's agents, ended ones among them; {@code seconds} is the time in which turns ran. */
@Schema(name = "WorkspaceUsage")
@RegisterForReflection
public record UsageView(long turns, long inputTokens, long outputTokens, long seconds) {}
