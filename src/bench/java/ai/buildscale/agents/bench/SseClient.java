package ai.buildscale.agents.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An {@link SseLoad} that runs, and ends with this program. */
final class SseClient implements AutoCloseable {
    private final Process process;
    private final PrintStream in;
    private final BufferedReader out;

    private SseClient(Process process) {
        this.process = process;
        this.in = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        this.out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    static SseClient start(String name, Map<String, ?> settings) throws IOException {
        List<String> command = new ArrayList<>(Lab.java());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), SseLoad.class.getName()));
        settings.forEach((key, value) -> command.add(key + "=" + value));
        return new SseClient(new ProcessBuilder(command)
                .redirectError(Lab.log(name).toFile())
                .start());
    }

    void open(int streams) throws IOException {
        tell("open " + streams);
    }

    /**
     * Deliveries a second.
     *
     * @param how {@code http} or {@code rows}
     * @throws IOException if any event did not reach every stream
     */
    double saturate(String how, int seconds) throws IOException {
        return complete(tell("saturate " + how + " " + seconds)).perSecond();
    }

    SseLoad.Result pace(int perSecond, int seconds) throws IOException {
        return complete(tell("pace " + perSecond + " " + seconds));
    }

    private static SseLoad.Result complete(String answer) throws IOException {
        SseLoad.Result result = SseLoad.Result.parse(answer);
        if (result.lost() != 0 || result.closed() != 0) {
            throw new IOException("events were lost: " + result);
        }
        return result;
    }

    private String tell(String command) throws IOException {
        in.println(command);
        String answer = out.readLine();
        if (answer == null) {
            throw new IOException("the client has ended, see its log in " + Lab.FOLDER);
        }
        return answer;
    }

    @Override
    public void close() {
        in.close();
        process.destroy();
    }
}
