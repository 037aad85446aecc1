package ai.buildscale.agents.bench;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;

/** Brings events about; each belongs to one thread. */
interface SsePublisher {
    /**
     * Publishes the text, and returns when that is done.
     *
     * @return how many events that makes
     */
    int publish(String text) throws IOException, SQLException;

    /** By requests over one connection, to each of the paths in turn. */
    final class Http implements SsePublisher {
        private final InputStream in;
        private final Socket socket;
        private final String method;
        private final List<String> paths;
        private final String headers;
        private final String body;
        private int next;

        /** @param body {@code %s} stands for the text */
        Http(int port, String method, List<String> paths, String authorization, String body) throws IOException {
            this.socket = new Socket(InetAddress.getLoopbackAddress(), port);
            this.socket.setTcpNoDelay(true);
            this.in = new BufferedInputStream(socket.getInputStream());
            this.method = method;
            this.paths = paths;
            this.headers = " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + (authorization.isEmpty() ? "" : "Authorization: " + authorization + "\r\n")
                    + "Content-Length: ";
            this.body = body;
        }

        @Override
        public int publish(String text) throws IOException {
            String content = body.replace("%s", text);
            String request =
                    method + " " + paths.get(next++ % paths.size()) + headers + content.length() + "\r\n\r\n" + content;
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String status = line();
            int length = 0;
            for (String header = line(); !header.isEmpty(); header = line()) {
                if (header.regionMatches(true, 0, "Content-Length:", 0, 15)) {
                    length = Integer.parseInt(header.substring(15).strip());
                }
            }
            byte[] answer = in.readNBytes(length);
            if (!status.startsWith("HTTP/1.1 2")) {
                throw new IOException(status + "\n" + new String(answer, StandardCharsets.UTF_8));
            }
            return 1;
        }

        private String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int c = in.read(); c != '\n'; c = in.read()) {
                if (c < 0) {
                    throw new IOException("the server has closed the connection");
                }
                if (c != '\r') {
                    line.append((char) c);
                }
            }
            return line.toString();
        }
    }

    /** By rows put into the log past the service, which is woken as another server would wake it. */
    final class Rows implements SsePublisher {
        private static final int BATCH = 50;

        private final PreparedStatement insert;
        private final PreparedStatement wake;

        Rows(String database) throws SQLException {
            Connection connection = Lab.connect(database);
            insert = connection.prepareStatement("""
                    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
                    select next_position(0, n), s.workspace_id, s.chat_id, s.id, 'agent_task',
                           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'agent_type', s.agent_type,
                               'task', ?, 'at', utc(now()), 'version', s.version), now(), false
                    from (select * from agent_sessions order by id limit 1) s, generate_series(0, %d) n
                    """.formatted(BATCH - 1));
            wake = connection.prepareStatement("select pg_notify('agent_events', 'bench')");
        }

        @Override
        public int publish(String text) throws SQLException {
            insert.setString(1, text);
            insert.executeUpdate();
            wake.execute();
            return BATCH;
        }
    }
}
