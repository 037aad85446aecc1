package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import java.util.List;

/**
 * A prompt is the message that a turn answers, with the chat before it. It is the same at every resume of the turn, because
 * the entries after the message are left out.
 *
 * @param before the chat's entries before the message
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

    /** The numbered lines of the newest earlier message that has any. */
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
