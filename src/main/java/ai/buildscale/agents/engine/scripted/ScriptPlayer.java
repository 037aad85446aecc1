package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/** Plays the rest of a script; stops at a question that has no answer yet. */
final class ScriptPlayer implements Iterator<ScriptStep> {
    private final Iterator<Supplier<List<ScriptStep>>> parts;
    private final ReplayPosition position;
    private Iterator<ScriptStep> part = Collections.emptyIterator();
    private ScriptStep next;
    private boolean over;

    ScriptPlayer(Iterator<Supplier<List<ScriptStep>>> parts, ReplayPosition position) {
        this.parts = parts;
        this.position = position;
    }

    @Override
    public boolean hasNext() {
        while (next == null && !over) {
            advance();
        }
        return next != null;
    }

    @Override
    public ScriptStep next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        ScriptStep step = next;
        next = null;
        return step;
    }

    private void advance() {
        if (part.hasNext()) {
            ScriptStep step = part.next();
            next = position.restOf(step).orElse(null);
            over = step instanceof ScriptStep.Emits(Output.Question _, var _) && !position.isAnswered();
        } else if (parts.hasNext()) {
            part = parts.next().get().iterator();
        } else {
            over = true;
        }
    }
}
