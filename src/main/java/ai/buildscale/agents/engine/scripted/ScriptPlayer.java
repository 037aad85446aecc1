package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/** Plays the rest of a script; it ends with a question that has no answer yet. */
final class ScriptPlayer implements Iterator<ScriptStep> {
    private final Iterator<Supplier<List<ScriptStep>>> parts;
    private final ReplayPosition progress;
    private Iterator<ScriptStep> part = Collections.emptyIterator();
    private ScriptStep next;
    private boolean over;

    ScriptPlayer(Iterator<Supplier<List<ScriptStep>>> parts, ReplayPosition progress) {
        this.parts = parts;
        this.progress = progress;
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
        ScriptStep beat = next;
        next = null;
        return beat;
    }

    private void advance() {
        if (part.hasNext()) {
            ScriptStep beat = part.next();
            next = progress.restOf(beat).orElse(null);
            over = beat instanceof ScriptStep.Gives(Output.Question _, var _) && !progress.isAnswered();
        } else if (parts.hasNext()) {
            part = parts.next().get().iterator();
        } else {
            over = true;
        }
    }
}
