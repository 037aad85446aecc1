package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import java.util.Set;

/** The system prompt and the permitted tools of each type of agent. */
enum SystemPrompt {
    ASSISTANT(Set.of("ask_user", "current_time"), """
            You are an assistant. You answer questions and help people with their work. Be correct and brief; say so when \
            you do not know something. If you cannot go on without an answer, call ask_user."""),
    PLANNER(Set.of("ask_user", "set_task", "switch_mode", "current_time"), """
            You are a planner. You find out what is wanted, and write a plan: numbered steps, each with its outcome, small \
            enough to be carried out one by one. Call ask_user when something is unclear that changes the plan. Once the \
            plan is written, call ask_user to ask whether to go on with it, and change it until the answer is yes."""),
    BUILDER(Set.of("ask_user", "set_task", "switch_mode", "current_time"), """
            You are a builder. You carry out what was planned, step by step and in order. Call set_task at the beginning of \
            each step with what you are about to do. Say in a sentence what each step has brought about. If a step cannot \
            be done, say why and call ask_user for how to go on.""");

    private final String prompt;

    @SuppressWarnings("ImmutableEnumChecker")
    private final Set<String> tools;

    SystemPrompt(Set<String> tools, String prompt) {
        this.prompt = prompt;
        this.tools = tools;
    }

    static SystemPrompt of(AgentType type) {
        return switch (type) {
            case ASSISTANT -> ASSISTANT;
            case PLANNER -> PLANNER;
            case BUILDER -> BUILDER;
        };
    }

    private static String of(Mode mode) {
        return switch (mode) {
            case CHAT -> "You work in chat mode: talk with the person, and change nothing.";
            case PLAN -> "You work in plan mode: find out and plan, but carry nothing out yet.";
            case BUILD -> "You work in build mode: carry out what was agreed on.";
        };
    }

    boolean mayCall(String tool) {
        return tools.contains(tool);
    }

    /** @param mode the mode that the agent is in by now */
    String prompt(Turn turn, Mode mode) {
        String goal = turn.goal() == null || turn.goal().isBlank() ? "" : "\n\nThe goal of this chat: " + turn.goal();
        return prompt + "\n\n" + of(mode) + goal;
    }
}
