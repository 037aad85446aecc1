package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import java.util.List;

/**
 * The message that a turn answers. The same whenever it is taken from the turn: what comes after the message is left
 * out.
 *
 * @param before what was said in the chat before the message
 */
record Prompt(List<HistoryEntry> before, String message) {
    static Prompt of(Turn turn) {
        List<HistoryEntry> history = turn.history();
        for (int i = history.size() - 1; i >= 0; i--) {
            HistoryEntry entry = history.get(i);
            if (entry.kind() == EntryKind.USER && entry.turnId().equals(turn.id())) {
                return new Prompt(history.subList(0, i), entry.text());
            }
        }
        return new Prompt(List.of(), "");
    }

    long messagesBefore() {
        return before.stream().filter(Prompt::isMessage).count();
    }

    /** The newest message before this one that has numbered lines. */
    List<String> newestPlan() {
        return before.reversed().stream()
                .filter(Prompt::isMessage)
                .map(entry -> NumberedPlan.in(entry.text()))
                .filter(steps -> !steps.isEmpty())
                .findFirst()
                .orElse(List.of());
    }

    long characters() {
        return before.stream().mapToLong(entry -> entry.text().length()).sum() + message.length();
    }

    private static boolean isMessage(HistoryEntry entry) {
        return entry.kind() == EntryKind.USER || entry.kind() == EntryKind.ASSISTANT;
    }
}
