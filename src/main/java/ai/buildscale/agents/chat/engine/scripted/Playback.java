package ai.buildscale.agents.chat.engine.scripted;

import ai.buildscale.agents.chat.engine.Output;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/** What is still to come of a script; it ends with a question that has no answer yet. */
final class Playback implements Iterator<Beat> {
    private final Iterator<Supplier<List<Beat>>> parts;
    private final Progress progress;
    private Iterator<Beat> part = Collections.emptyIterator();
    private Beat next;
    private boolean over;

    Playback(Iterator<Supplier<List<Beat>>> parts, Progress progress) {
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
    public Beat next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Beat beat = next;
        next = null;
        return beat;
    }

    private void advance() {
        if (part.hasNext()) {
            Beat beat = part.next();
            next = progress.restOf(beat).orElse(null);
            over = beat instanceof Beat.Gives(Output.Question _, var _) && !progress.isAnswered();
        } else if (parts.hasNext()) {
            part = parts.next().get().iterator();
        } else {
            over = true;
        }
    }
}
