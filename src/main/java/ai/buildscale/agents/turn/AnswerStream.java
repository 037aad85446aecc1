package ai.buildscale.agents.turn;

/**
 * Holds the answer of a running turn as it grows, and how much of it followers have seen. The turn adds to it on its
 * event loop, the {@link ChunkPublisher} takes from it on any.
 */
final class AnswerStream {
    /** What may be said ahead of what is shown, in UTF-16 units. */
    private static final int AHEAD = 65_536;

    /** Whose speech it is; called on any thread. */
    interface Speaker {
        /** What was under way is over: the turn may go on to what waited for that. */
        void shown(Runnable next);

        /** There is room again for more. */
        void mayGoOn();

        /** The turn does not run any more, or is another server's. */
        void refused();
    }

    private final FencingToken fence;
    private final ChunkPublisher feed;
    private final Speaker speaker;
    private final StringBuilder text;
    private int shownUpTo;
    private boolean showing;
    private boolean waitsForRoom;
    private boolean ending;
    private boolean lastWords;
    private Runnable afterwards;

    AnswerStream(FencingToken fence, ChunkPublisher feed, Speaker speaker, AnswerProgress progress) {
        this.fence = fence;
        this.feed = feed;
        this.speaker = speaker;
        this.text = new StringBuilder(progress.text());
        this.shownUpTo = progress.shown();
    }

    synchronized String text() {
        return text.toString();
    }

    synchronized int length() {
        return text.length();
    }

    /** Returns whether there is room for more; if not, the speaker is told when there is. */
    boolean say(String more) {
        boolean room;
        synchronized (this) {
            text.append(TextLimits.clean(more));
            room = text.length() - shownUpTo <= AHEAD;
            waitsForRoom = !room;
        }
        feed.publish(this);
        return room;
    }

    /** What an earlier owner has said and not shown is shown. */
    void takeUp() {
        feed.publish(this);
    }

    /** From now on nothing is shown but what {@link #onceShown} asks for. */
    synchronized void end() {
        ending = true;
    }

    /**
     * Calls {@link Speaker#shown} with what is next once nothing is under way.
     *
     * @param completely whether what is not shown yet shall be before
     */
    void onceShown(boolean completely, Runnable next) {
        synchronized (this) {
            boolean more = completely && TextLimits.end(text, shownUpTo) > shownUpTo;
            if (showing || more) {
                lastWords = more;
                afterwards = () -> onceShown(completely, next);
                if (!showing) {
                    feed.publishNow(this);
                }
                return;
            }
        }
        speaker.shown(next);
    }

    /** What was said and is not shown yet, to be shown now; null if there is nothing, or it ends. */
    synchronized AnswerPiece unshown() {
        int end = TextLimits.end(text, shownUpTo);
        if (showing || end <= shownUpTo || (ending && !lastWords)) {
            return null;
        }
        AnswerPiece piece = new AnswerPiece(fence, shownUpTo, text.substring(shownUpTo, end));
        shownUpTo = end;
        showing = true;
        return piece;
    }

    /** It could not be shown: it is tried again, but the turn's end does not wait for it. */
    void notShown(AnswerPiece piece) {
        synchronized (this) {
            shownUpTo = lastWords ? shownUpTo : Math.min(shownUpTo, piece.from());
        }
        shown(true);
    }

    /** It was shown, unless the turn does not run any more. */
    void shown(boolean taken) {
        Runnable next;
        boolean more;
        boolean room;
        synchronized (this) {
            showing = false;
            lastWords = false;
            next = afterwards;
            afterwards = null;
            more = TextLimits.end(text, shownUpTo) > shownUpTo;
            room = waitsForRoom && text.length() - shownUpTo <= AHEAD;
            waitsForRoom = waitsForRoom && !room;
        }
        if (more) {
            feed.publish(this);
        }
        if (next != null) {
            next.run();
        }
        if (!taken) {
            speaker.refused();
        } else if (room) {
            speaker.mayGoOn();
        }
    }
}
