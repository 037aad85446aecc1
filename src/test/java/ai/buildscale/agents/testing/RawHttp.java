package ai.buildscale.agents.testing;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** HTTP/1.1 as no decent client sends it: bytes on a socket, written on one thread while another reads the answer. */
public final class RawHttp {
    private static final int PATIENCE_MILLIS = 20_000;

    private RawHttp() {}

    /** Writes a request; it may fail half way, when the service has heard enough. */
    public interface Sender {
        void write(OutputStream out) throws IOException;
    }

    /** The first answer; status 0 if the connection ends without one. */
    public static Api.Reply send(Service service, Sender sender) {
        return exchange(service, sender, RawHttp::reply);
    }

    public static Api.Reply send(Service service, String request) {
        return send(service, out -> out.write(request.getBytes(StandardCharsets.ISO_8859_1)));
    }

    /** Everything that is answered until the connection ends. */
    public static String everything(Service service, Sender sender) {
        return exchange(service, sender, in -> new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }

    /** A request with one header a line, and a {@code Host}. */
    public static String head(String requestLine, String... headers) {
        StringBuilder head = new StringBuilder(requestLine).append("\r\nHost: localhost\r\n");
        for (String header : headers) {
            head.append(header).append("\r\n");
        }
        return head.append("\r\n").toString();
    }

    /** One connection for several requests and their answers. */
    public static final class Connection implements AutoCloseable {
        private final Socket socket;
        private final InputStream in;

        private Connection(Socket socket) throws IOException {
            this.socket = socket;
            this.in = new BufferedInputStream(socket.getInputStream());
        }

        public Connection send(String request) {
            try {
                socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
                return this;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** The next answer; of one without a length, its head. */
        public Api.Reply reply() {
            try {
                return RawHttp.reply(in);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Reads until this has come. */
        public String readUntil(String text) {
            StringBuilder read = new StringBuilder();
            try {
                while (read.indexOf(text) < 0) {
                    int b = in.read();
                    if (b < 0) {
                        throw new AssertionError("the connection ended after: " + read);
                    }
                    read.append((char) b);
                }
                return read.toString();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Says that it has read all and is gone: the end of the connection, not a reset. */
        @Override
        public void close() {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    public static Connection connect(Service service) {
        try {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), service.port());
            socket.setSoTimeout(PATIENCE_MILLIS);
            return new Connection(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private interface Reader<T> {
        T read(InputStream in) throws IOException;
    }

    private static <T> T exchange(Service service, Sender sender, Reader<T> reader) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), service.port())) {
            socket.setSoTimeout(PATIENCE_MILLIS);
            Thread.ofVirtual().start(() -> {
                try {
                    sender.write(socket.getOutputStream());
                } catch (IOException e) {
                    // the service does not listen any more
                }
            });
            return reader.read(new BufferedInputStream(socket.getInputStream()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Api.Reply reply(InputStream in) throws IOException {
        String status = line(in);
        Map<String, List<String>> headers = new HashMap<>();
        for (String line = status; line != null && !line.isEmpty(); line = line(in)) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                headers.computeIfAbsent(line.substring(0, colon).toLowerCase(Locale.ROOT), _ -> new ArrayList<>())
                        .add(line.substring(colon + 1).strip());
            }
        }
        int length = Integer.parseInt(
                headers.getOrDefault("content-length", List.of("0")).getFirst());
        String body = new String(in.readNBytes(length), StandardCharsets.UTF_8);
        int code = status == null ? 0 : Integer.parseInt(status.split(" ", 3)[1]);
        return new Api.Reply(code, HttpHeaders.of(headers, (_, _) -> true), body);
    }

    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                return null;
            }
            line.write(b);
        }
        return line.toString(StandardCharsets.ISO_8859_1).strip();
    }
}
