package ai.buildscale.agents.platform.postgres;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/** Stands before Postgres as PgBouncer does in session mode: it refuses a startup message with what it does not track. */
final class Pooler implements AutoCloseable {
    private static final int TLS = 80_877_103;
    private static final Set<String> TRACKED = Set.of(
            "user",
            "database",
            "client_encoding",
            "datestyle",
            "timezone",
            "standard_conforming_strings",
            "application_name");

    private final ServerSocket listener;
    private final int target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final List<String> refused = new CopyOnWriteArrayList<>();

    private Pooler(ServerSocket listener, int target) {
        this.listener = listener;
        this.target = target;
    }

    static Pooler of(int target) throws IOException {
        Pooler pooler = new Pooler(new ServerSocket(0, 64, InetAddress.getLoopbackAddress()), target);
        Thread.ofVirtual().start(pooler::accept);
        return pooler;
    }

    int port() {
        return listener.getLocalPort();
    }

    List<String> refused() {
        return refused;
    }

    private void accept() {
        try (listener) {
            while (true) {
                Socket client = listener.accept();
                sockets.add(client);
                Thread.ofVirtual().start(() -> greet(client));
            }
        } catch (IOException e) {
            // it was closed
        }
    }

    private void greet(Socket client) {
        try (client) {
            DataInputStream in = new DataInputStream(client.getInputStream());
            DataOutputStream out = new DataOutputStream(client.getOutputStream());
            byte[] startup = startup(in);
            while (code(startup) == TLS) {
                out.write('N');
                startup = startup(in);
            }
            for (String name : names(startup)) {
                if (!TRACKED.contains(name.toLowerCase(Locale.ROOT))) {
                    refused.add(name);
                    refuse(out, "unsupported startup parameter: " + name);
                    return;
                }
            }
            try (Socket server = new Socket(InetAddress.getLoopbackAddress(), target)) {
                sockets.add(server);
                DataOutputStream on = new DataOutputStream(server.getOutputStream());
                on.writeInt(startup.length + 4);
                on.write(startup);
                Thread.ofVirtual().start(() -> pass(server, client));
                in.transferTo(server.getOutputStream());
            }
        } catch (IOException e) {
            // one end has closed
        }
    }

    private static void pass(Socket from, Socket to) {
        try (from;
                to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException e) {
            // the other end has closed
        }
    }

    /** What follows the length. */
    private static byte[] startup(DataInputStream in) throws IOException {
        return in.readNBytes(in.readInt() - 4);
    }

    private static int code(byte[] startup) {
        return ByteBuffer.wrap(startup).getInt();
    }

    /** Of names and values in turn, each with a zero at its end. */
    private static List<String> names(byte[] startup) {
        String[] words = new String(startup, 4, startup.length - 4, StandardCharsets.UTF_8).split("\0", -1);
        List<String> names = new ArrayList<>();
        for (int i = 0; !words[i].isEmpty(); i += 2) {
            names.add(words[i]);
        }
        return names;
    }

    private static void refuse(DataOutputStream out, String why) throws IOException {
        ByteArrayOutputStream fields = new ByteArrayOutputStream();
        for (String field : List.of("SFATAL", "C08P01", "M" + why)) {
            fields.writeBytes(field.getBytes(StandardCharsets.UTF_8));
            fields.write(0);
        }
        fields.write(0);
        out.write('E');
        out.writeInt(fields.size() + 4);
        fields.writeTo(out);
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (Socket socket : sockets) {
                socket.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
