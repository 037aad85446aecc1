package ai.buildscale.agents.observability;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Log lines that the runbook tells operators to search for, against the calls of {@code src/main} that write them. */
class RunbookLogsTest {
    private static final String WRITTEN = """
            INFO JWT_KEYS has %d keys for tokens now, left out are %s
            WARN Postgres does not serve, callers are answered 503
            WARN commands are not taken
            INFO recovered %d sessions of servers %s
            WARN recovery of the sessions of %s is not complete: %s
            WARN server %s cannot say that it drains: %s
            WARN server %s does not act as an owner any more: its lease has not been renewed
            INFO server %s drains
            WARN server %s is fenced: the others have given it up; what it owned is theirs, and it joins again
            WARN server %s is lost (%s); its sessions go to the others
            INFO server %s on %s joins the fleet
            WARN session %s is fenced with epoch %d: server %s did not carry out its %s in time
            WARN session %s is fenced: server %s does not own it with epoch %d any more
            WARN session %s turn %s failed
            INFO session %s turn %s failed: %s
            WARN session %s turn %s is not closed: %s
            WARN session %s: its %s was not carried out, and is tried again: %s
            WARN streams stand still, the log cannot be read
            WARN sweeps do not finish
            WARN the keys of JWT_KEYS do not come
            WARN the model %s fails
            WARN the schema is not up to date: %s
            WARN this server cannot renew its lease
            WARN this server does not see the fleet
            """;
    private static final Path SOURCES = Path.of("src/main/java");
    /** What the shell function {@code logs} is given, and what the log "has" or "says". */
    private static final Pattern SEARCHED = Pattern.compile("logs \"([^$\"]+)\"|The log (?:has|says)[^`.:]*`([^`]+)`");

    private static final String LITERAL = "\"(?:[^\"\\\\]|\\\\.)*\"";
    private static final Pattern OPERAND = Pattern.compile(LITERAL + "|[\\w.()]+");
    private static final Pattern CALL = Pattern.compile(
            "(LOG\\.(\\w+?)f?|new FailureLog)\\([^;\"]*?(" + LITERAL + "(?:\\s*\\+\\s*(?:" + OPERAND + "))*)");

    /** Regular expressions, one for each of a search's alternatives. */
    static List<String> searches() throws IOException {
        return SEARCHED.matcher(Files.readString(Deployed.RUNBOOK))
                .results()
                .map(found ->
                        found.group(1) == null ? Pattern.quote(found.group(2).replace("…", "")) : found.group(1))
                .flatMap(search -> Arrays.stream(search.split("\\|", -1)))
                .distinct()
                .toList();
    }

    /** The lines that the sources can write, each with its level; {@code %s} stands for what is put in. */
    private static List<String> lines() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".java"))
                    .flatMap(file -> CALL.matcher(text(file)).results())
                    .flatMap(RunbookLogsTest::lines)
                    .toList();
        }
    }

    private static Stream<String> lines(MatchResult call) {
        String text = OPERAND.matcher(call.group(3))
                .results()
                .map(MatchResult::group)
                .map(part -> part.startsWith("\"") ? part.substring(1, part.length() - 1) : "%s")
                .collect(Collectors.joining());
        return call.group(2) == null
                ? Stream.of("WARN " + text, "INFO no longer: " + text)
                : Stream.of(call.group(2).toUpperCase(Locale.ROOT) + " " + text);
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("searches")
    void eachSearchFindsALine(String search) throws IOException {
        assertThat(lines()).anyMatch(Pattern.compile(search).asPredicate());
    }

    /** Operators keep such searches in their own alerts too: a line is not worded anew without need. */
    @Test
    void theLinesThatSearchesFindKeepTheirWords() throws IOException {
        Predicate<String> searched = searches().stream()
                .filter(search -> !search.equals("ERROR") && !search.contains("no longer"))
                .map(search -> Pattern.compile(search).asPredicate())
                .reduce(Predicate::or)
                .orElseThrow();

        assertThat(lines().stream().filter(line -> !line.startsWith("INFO no longer: ") && searched.test(line)))
                .containsExactlyInAnyOrderElementsOf(WRITTEN.lines().toList());
    }
}
