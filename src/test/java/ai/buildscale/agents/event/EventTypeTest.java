package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The types in Java are those that the statements write. */
class EventTypeTest {
    private static final Path STATEMENTS = Path.of("src/test/resources/sql");

    /** What stands in the place of an event's type: after the session's id, one word or a choice of words. */
    private static final Pattern TYPE = Pattern.compile(
            "last_position[^;]{0,80}?chat_id,\\s*\\w+\\.(?:session_)?id,\\s*('[a-z_]+'|case\\b.*?\\bend)",
            Pattern.DOTALL);

    private static final Pattern CHOSEN = Pattern.compile("(?:then|else)\\s+'([a-z_]+)'");
    private static final Pattern WORD = Pattern.compile("'([a-z_]+)'");

    @Test
    void areThoseOfTheStatements() throws IOException {
        Set<String> written = new TreeSet<>();
        try (Stream<Path> files = Files.list(STATEMENTS)) {
            for (Path file : files.toList()) {
                Matcher type = TYPE.matcher(Files.readString(file));
                while (type.find()) {
                    String found = type.group(1);
                    Matcher word = (found.startsWith("case") ? CHOSEN : WORD).matcher(found);
                    while (word.find()) {
                        written.add(word.group(1));
                    }
                }
            }
        }

        Set<String> logged = Arrays.stream(EventType.values())
                .filter(EventType::isLogged)
                .map(EventType::toString)
                .collect(Collectors.toSet());
        assertThat(written).hasSizeGreaterThan(5);
        assertThat(logged).containsAll(written);
    }
}
