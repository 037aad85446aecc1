package ai.buildscale.agents.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/** A client of an event stream that reads only when a test tells it to, through a receive buffer as small as can be. */
public final class RawStream implements AutoCloseable {
    private static final Pattern FRAME = Pattern.compile("id: (\\d+)\nevent: [a-z_]+\ndata: [^\n]*\n\n");

    private static final String LAST_CHUNK = "\r\n0\r\n\r\n";

    private final Socket socket;
    private final ByteArrayOutputStream read = new ByteArrayOutputStream();
    /** What was read last, as long as what ends a stream on a connection that stays open. */
    private String tail = "";

    private RawStream(Socket socket) {
        this.socket = socket;
    }

    /** Asks for a stream below {@code /api/v1}, and reads nothing. */
    public static RawStream open(Api api, String path, String... headers) {
        try {
            Socket socket = new Socket();
            socket.setReceiveBufferSize(2_048);
            socket.setSoTimeout(20_000);
            socket.connect(new InetSocketAddress(
                    InetAddress.getLoopbackAddress(), api.service().port()));
            StringBuilder request = new StringBuilder("GET /api/v1" + path + " HTTP/1.1\r\nHost: localhost\r\n");
            request.append("Authorization: Bearer ").append(api.token()).append("\r\n");
            for (int i = 0; i < headers.length; i += 2) {
                request.append(headers[i]).append(": ").append(headers[i + 1]).append("\r\n");
            }
            socket.getOutputStream().write(request.append("\r\n").toString().getBytes(StandardCharsets.US_ASCII));
            return new RawStream(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads so many bytes; false at the end of the stream, however it came. */
    public boolean read(int bytes) {
        byte[] some = new byte[bytes];
        int left = bytes;
        try {
            while (left > 0) {
                int n = socket.getInputStream().read(some, 0, left);
                if (n < 0) {
                    return false;
                }
                left -= n;
                if (isLast(some, n)) {
                    return false;
                }
            }
            return true;
        } catch (SocketTimeoutException e) {
            throw new AssertionError("nothing comes, but the stream is open", e);
        } catch (IOException e) {
            return false;
        }
    }

    /** Reads what there is until the stream ends. */
    public void drain() {
        byte[] some = new byte[65_536];
        try {
            int n = socket.getInputStream().read(some);
            while (n >= 0 && !isLast(some, n)) {
                n = socket.getInputStream().read(some);
            }
        } catch (SocketTimeoutException e) {
            throw new AssertionError("the stream is still open", e);
        } catch (IOException e) {
            // it was cut
        }
    }

    /** Keeps what was read; tells whether the last chunk was in it. */
    private boolean isLast(byte[] some, int length) {
        read.write(some, 0, length);
        int newest = Math.min(length, LAST_CHUNK.length());
        tail += new String(some, length - newest, newest, StandardCharsets.ISO_8859_1);
        tail = tail.substring(Math.max(0, tail.length() - LAST_CHUNK.length()));
        return tail.equals(LAST_CHUNK);
    }

    /** What was read, as it came. */
    public String text() {
        return read.toString(StandardCharsets.UTF_8);
    }

    /** The ids of the events that were read whole, without the marks of the chunked encoding. */
    public List<String> ids() {
        String text = text().replaceAll("\r\n[0-9a-f]+\r\n", "");
        return FRAME.matcher(text.substring(text.indexOf("retry:")))
                .results()
                .map(result -> result.group(1))
                .toList();
    }

    /** Ends the connection at once, as a client does that crashes. */
    @Override
    public void close() {
        try {
            socket.setSoLinger(true, 0);
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
