package ai.buildscale.agents.bench.simulation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** All the sessions: who owns each, how often each has changed its owner, and which are locked by a statement that runs. */
public final class Sessions {
    private final int[] owner;
    private final byte[] handedOver;
    private final List<Held> held = new ArrayList<>();
    private long changes;

    public Sessions(int count) {
        owner = new int[count];
        handedOver = new byte[count];
        Arrays.fill(owner, -1);
    }

    /** What a member has, as its index has it: entries of sessions that have left, then locked ones, then the free. */
    private static final class Held {
        int[] ids = new int[16];
        int from;
        int to;
        int locked;
        int left;

        void add(int id) {
            if (to == ids.length) {
                int free = to - from;
                int[] wider = free > ids.length / 2 ? new int[ids.length * 2] : ids;
                System.arraycopy(ids, from, wider, 0, free);
                ids = wider;
                from = 0;
                to = free;
            }
            ids[to++] = id;
        }
    }

    /** Sessions that a statement has locked. */
    public static final class Batch {
        private final int[] ids;
        private final long locked;
        private final long left;

        private Batch(int[] ids, long locked, long left) {
            this.ids = ids;
            this.locked = locked;
            this.left = left;
        }

        public int size() {
            return ids.length;
        }

        /** How many it found locked by others on its way. */
        public long locked() {
            return locked;
        }

        /** How many entries it passed of sessions that have left. */
        public long left() {
            return left;
        }
    }

    /** Members are numbered from 0, as they come. */
    public void addMember() {
        held.add(new Held());
    }

    /** A new session of this member. */
    public void place(int session, int member) {
        owner[session] = member;
        held.get(member).add(session);
    }

    /** Locks up to so many that are free, of one member after the other. */
    public Batch lock(int[] members, int atMost) {
        int[] ids = new int[atMost];
        int found = 0;
        long locked = 0;
        long left = 0;
        for (int i = 0; i < members.length && found < atMost; i++) {
            Held one = held.get(members[i]);
            locked += one.locked;
            left += one.left;
            int taken = Math.min(atMost - found, one.to - one.from);
            System.arraycopy(one.ids, one.from, ids, found, taken);
            one.from += taken;
            one.locked += taken;
            found += taken;
        }
        return new Batch(Arrays.copyOf(ids, found), locked, left);
    }

    /** Each goes to the member that stands in its place. */
    public void commit(Batch batch, int[] takers) {
        for (int i = 0; i < batch.size(); i++) {
            int id = batch.ids[i];
            Held last = held.get(owner[id]);
            last.locked--;
            last.left++;
            owner[id] = takers[i];
            handedOver[id]++;
            held.get(takers[i]).add(id);
        }
        changes += batch.size();
    }

    public void undo(Batch batch) {
        for (int id : batch.ids) {
            Held one = held.get(owner[id]);
            one.locked--;
            one.add(id);
        }
    }

    /** How many a member owns; those that are locked are still its own. */
    public int count(int member) {
        Held one = held.get(member);
        return one.to - one.from + one.locked;
    }

    public int size() {
        return owner.length;
    }

    /** How often one has changed its owner, in all. */
    public long changes() {
        return changes;
    }

    /** How many have changed their owner so often: at 0 those that never have, the last place for all that did more often. */
    public long[] byChanges() {
        long[] counts = new long[4];
        for (byte times : handedOver) {
            counts[Math.min(times, counts.length - 1)]++;
        }
        return counts;
    }

    /** Fails unless each has one owner, and the owners' counts are those of the sessions. */
    public void check() {
        int[] counts = new int[held.size()];
        for (int session = 0; session < owner.length; session++) {
            if (owner[session] < 0) {
                throw new IllegalStateException("session " + session + " has no owner");
            }
            counts[owner[session]]++;
        }
        for (int member = 0; member < counts.length; member++) {
            if (counts[member] != count(member)) {
                throw new IllegalStateException(
                        "member " + member + " owns " + counts[member] + ", and counts " + count(member));
            }
        }
    }
}
