package ai.buildscale.agents.bench;

import ai.buildscale.agents.event.EventStatements;
import ai.buildscale.agents.platform.jobs.SweepStatements;
import ai.buildscale.agents.server.ServerStatements;
import ai.buildscale.agents.session.SessionStatements;
import ai.buildscale.agents.turn.TurnStatements;
import java.io.IOException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a fleet costs Postgres by watching and moving itself: the processor time of a backend for each of the service's own
 * statements, on a table of 400,000 sessions. The simulation ({@code make simulate}) takes its costs from here.
 */
final class UpkeepRow implements Bench.Row {
    private static final String SERVER = "01990000-0000-7000-c000-";
    private static final int OWNERS = 40;
    private static final int SESSIONS_EACH = 10_000;
    private static final int MEMBERS = 1_000;
    private static final int BATCH = 500;
    private static final int BATCHES = SESSIONS_EACH / BATCH;
    private static final int EVENTS = 1_000;
    private static final int NOTIFICATIONS = 500;
    private static final int LISTENERS = 200;
    /** The first of the owners that have work, a running turn in each of so many sessions; all those after it have it too. */
    private static final int AT_WORK = 30;

    private static final int AT_WORK_EACH = 1_000;

    private final Map<String, List<Double>> figures = new LinkedHashMap<>();
    private final Map<String, Long> bytes = new LinkedHashMap<>();
    private String database;
    private Backend one;

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        database = lab.newDatabase("bench_upkeep");
        // it migrates
        lab.service(database).close();
        fill();
        try (Backend backend = new Backend(database);
                Backend locks = new Backend(database)) {
            one = backend;
            prepare();
            for (int round = 0; round < Rounds.COUNT; round++) {
                System.out.println("    round " + (round + 1));
                lives(locks);
                looksForWork();
                reads();
                handsOver(locks, 2 + round * 3);
                notifies();
            }
        }
        figures.forEach((what, all) ->
                report.figure(what, Spread.of(all).in(all.getFirst() < 20 ? "%.2f" : "%.0f", "µs"), ""));
        sizes(report);
        lab.dropDatabase("bench_upkeep");
    }

    private void sizes(Report report) {
        for (String table : List.of("agent_sessions", "events")) {
            report.figure(
                    "disk for a row of `" + table + "`, with its indexes",
                    Report.thousands((double) bytes.get(table)) + " bytes",
                    "");
        }
    }

    private void took(String what, double micros) {
        figures.computeIfAbsent(what, _ -> new ArrayList<>()).add(micros);
    }

    private static String server(long number) {
        return Lab.id(SERVER, Long.toString(Lab.FIRST + number));
    }

    private static String array(int from, int to) {
        return IntStream.range(from, to)
                .mapToObj(number -> SERVER + (Lab.FIRST + number))
                .collect(Collectors.joining(",", "'{", "}'"));
    }

    private void fill() throws SQLException {
        Lab.fill(database, 64, 0, "server", "idle");
        Lab.execute(database, """
                delete from servers;
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                    current_task, hosting, server_id, server_hostname)
                select %s, %s, %s, '%s', 'assistant', 'idle', 'gpt-5-mini', 'chat', 'Summarise the incident', 'server',
                       %s, 'bench-' || n %% %d
                from generate_series(%d, %d) n
                """.formatted(
                        Lab.id(Lab.SESSION, "n"),
                        Lab.id(Lab.WORKSPACE, Lab.FIRST + " + n % 64"),
                        Lab.id(Lab.CHAT, "n"),
                        Lab.USER,
                        Lab.id(SERVER, Lab.FIRST + " + n % " + OWNERS),
                        OWNERS,
                        Lab.FIRST,
                        Lab.FIRST + OWNERS * SESSIONS_EACH - 1));
        Lab.execute(database, """
                insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, server_id)
                select next_id(), id, chat_id, workspace_id, id, 'running', epoch, server_id
                from (select s.*, row_number() over (partition by server_id order by id) as nth
                      from agent_sessions s where server_id >= %1$s) s
                where nth <= %3$d;
                update agent_sessions s set status = 'running', turn_id = t.id from turns t where t.session_id = s.id;
                insert into events (position, workspace_id, chat_id, session_id, type, data, at)
                select row_number() over (order by id), workspace_id, chat_id, id, 'agent_recovered',
                       jsonb_build_object('session_id', id, 'chat_id', chat_id, 'agent_type', agent_type, 'status',
                           status, 'from_server_id', server_id, 'from_server_hostname', server_hostname,
                           'server_id', server_id, 'server_hostname', server_hostname, 'reason', 'connection_lost',
                           'at', utc(now()), 'epoch', epoch, 'version', version), now()
                from agent_sessions limit %2$d
                """.formatted(server(AT_WORK), EVENTS, AT_WORK_EACH));
        members(0, 10);
        Lab.execute(database, "vacuum analyze");
        for (String table : List.of("agent_sessions", "events")) {
            bytes.put(
                    table,
                    Lab.number(database, "select pg_total_relation_size('" + table + "') / count(*) from " + table));
        }
    }

    /** These are in the fleet, too. */
    private void members(int from, int to) throws SQLException {
        Lab.execute(database, """
                insert into servers (id, hostname, version, capacity, sessions, load, watched)
                select %s, 'bench-' || n, '0', 100000, %d, 0.1, true from generate_series(%d, %d) n
                on conflict do nothing
                """.formatted(Lab.id(SERVER, "n"), SESSIONS_EACH, Lab.FIRST + from, Lab.FIRST + to - 1));
    }

    private void prepare() throws SQLException {
        one.prepare("renew", ServerStatements.renew());
        one.prepare("members", ServerStatements.members());
        one.prepare("counted", SessionStatements.count());
        one.prepare("deliver", SessionStatements.deliver());
        one.prepare("begun", TurnStatements.begin());
        one.prepare("waiting", TurnStatements.waiting());
        one.prepare("lost", TurnStatements.takeUpLost());
        one.prepare("claim", SweepStatements.claim());
        one.prepare("tail", EventStatements.tail());
        one.prepare("hand", SessionStatements.handOver());
        one.execute("execute claim('bench', 1)");
    }

    /** The lease, and what every server looks at. */
    private void lives(Backend locks) throws Exception {
        took("presence: `select 1`", one.micros("select 1"));
        took("renewal of a lease", one.micros("execute renew(" + server(0) + ", 10000, 0.1, true, 0)"));
        took("count of 10,000 own sessions", one.micros("execute counted(" + server(0) + ")"));
        took("count of none", one.micros("execute counted(" + server(MEMBERS) + ")"));
        Lab.execute(database, "truncate servers");
        for (int members : new int[] {10, 100, MEMBERS}) {
            members(0, members);
            Lab.execute(database, "analyze servers");
            locks.execute("select pg_advisory_lock_shared(" + ServerStatements.presenceLocks()
                    + ", presence_key(id)) from servers");
            took("look at a fleet of " + Report.thousands(members), one.micros("execute members"));
            locks.execute("select pg_advisory_unlock_all()");
        }
    }

    /** What every server asks once a second, of an owner of 10,000 that has nothing to do. */
    private void looksForWork() throws Exception {
        took("commands to deliver: none", one.micros("execute deliver(" + server(0) + ", 500, 5000)"));
        took("messages to begin with: none", one.micros("execute begun(" + server(0) + ", '{}')"));
        took("messages that wait: none", one.micros("execute waiting(" + server(0) + ")"));
        String running = Report.thousands((OWNERS - AT_WORK) * AT_WORK_EACH);
        took("lost turns: none, " + running + " of others run", one.micros("execute lost(" + server(0) + ", 2000)"));
        took(
                "lost turns: none of " + Report.thousands(AT_WORK_EACH) + " own, " + running + " run",
                one.micros("execute lost(" + server(AT_WORK) + ", 2000)"));
        took("claim of a sweep that is not due", one.micros("execute claim('bench', 1000000000)"));
    }

    private void reads() throws Exception {
        took("the log's tail: nothing new", one.micros(tail(Long.MAX_VALUE)));
        took("the log's tail: 1,000 events", one.micros(tail(0)));
    }

    /** What comes after an event; no chunks. */
    private static String tail(long after) {
        return "execute tail(" + after + ", " + Long.MAX_VALUE + ", 1000)";
    }

    /** Sessions of three owners that are lost from now on. */
    private void handsOver(Backend locks, int owner) throws Exception {
        Lab.execute(database, """
                update servers set lost_at = now(), lost_reason = 'connection_lost'
                where id = any (%s) or id = any (%s)
                """.formatted(array(owner, owner + 3), array(MEMBERS - 300, MEMBERS)));
        String takers = array(100, 116);
        String turns = IntStream.range(0, BATCH)
                .mapToObj(turn -> SERVER + (Lab.FIRST + 100 + turn % 16))
                .collect(Collectors.joining(",", "'{", "}'"));
        String[] hand = new String[3];
        for (int i = 0; i < hand.length; i++) {
            hand[i] = handOver(array(owner + i, owner + i + 1), takers, turns);
        }
        String nobody = handOver(array(MEMBERS - 1, MEMBERS), takers, turns);
        String all = handOver(array(MEMBERS - 300, MEMBERS), takers, turns);
        double none = one.micros(nobody);
        took("hand-over of none", none);
        took("— for each member more that has none left", (one.micros(all) - none) / 299);
        took("hand-over of 500, the first of 10,000", undone(hand[0]));
        took(
                "hand-over of 500, one of 20 in a row",
                one.microsOnce(() -> {
                            for (int batch = 0; batch < BATCHES; batch++) {
                                one.execute(hand[0]);
                            }
                        })
                        / BATCHES);
        double first = undone(hand[1]);
        locks.execute("begin");
        locks.execute("select id from agent_sessions where server_id = " + server(owner + 1)
                + " and ended_at is null order by id limit " + (SESSIONS_EACH - BATCH) + " for no key update");
        took(
                "— for each session on the way that others have locked",
                (undone(hand[1]) - first) / (SESSIONS_EACH - BATCH));
        locks.execute("rollback");
        double alone = undone(hand[2]);
        for (int batch = 1; batch < BATCHES; batch++) {
            one.execute(hand[2]);
        }
        took("— for each that has left its owner, the first time", (undone(hand[2]) - alone) / (SESSIONS_EACH - BATCH));
        took("— and again", (undone(hand[2]) - alone) / (SESSIONS_EACH - BATCH));
    }

    private static String handOver(String from, String takers, String turns) {
        return "execute hand(" + from + ", " + takers + ", " + turns + ", 1000000000, null)";
    }

    private double undone(String sql) throws SQLException, IOException {
        return one.microsOnce(() -> {
            one.execute("begin");
            one.execute(sql);
            one.execute("rollback");
        });
    }

    private void notifies() throws Exception {
        took("notification that nobody hears", notified(List.of()));
        List<Backend> listeners = new ArrayList<>();
        try {
            for (int i = 0; i < LISTENERS; i++) {
                Backend listener = new Backend(database);
                listeners.add(listener);
                listener.execute("listen agent_events");
            }
            long before = nanos(listeners);
            took("notification that 200 hear: its sender", notified(listeners));
            took("— each that hears it", (nanos(listeners) - before) / 1e3 / NOTIFICATIONS / LISTENERS);
        } finally {
            for (Backend listener : listeners) {
                listener.close();
            }
        }
    }

    private static long nanos(List<Backend> backends) throws IOException {
        long sum = 0;
        for (Backend backend : backends) {
            sum += backend.nanos();
        }
        return sum;
    }

    /** One every five milliseconds, as a server sends them at most. */
    private double notified(List<Backend> listeners) throws Exception {
        double micros = one.microsOnce(() -> {
            long start = System.nanoTime();
            for (int i = 0; i < NOTIFICATIONS; i++) {
                one.execute("select pg_notify('agent_events', '01990000-0000-7000-c000-100000000000:')");
                LockSupport.parkNanos(start + i * 5_000_000L - System.nanoTime());
            }
        });
        // what they have heard is taken from them
        for (Backend listener : listeners) {
            listener.execute("select 1");
        }
        return micros / NOTIFICATIONS;
    }
}
