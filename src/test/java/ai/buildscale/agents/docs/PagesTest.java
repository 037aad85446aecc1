package ai.buildscale.agents.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The README and the pages of src/docs: their links lead somewhere, their lines are short, and decisions have one form. */
class PagesTest {
    private static final Path README = Path.of("README.md");
    private static final Path DOCS = Path.of("src/docs");
    private static final int LONGEST_README = 130;
    private static final int LONGEST_LINE = 120;

    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.+)$");
    /** A class as code, with the name of a member if there is one. */
    private static final Pattern NAMED =
            Pattern.compile("`([A-Z][A-Za-z]*[a-z][A-Za-z]*)(?:\\.(\\w+))?(?:\\([a-z ]*\\))?`");

    private static final Pattern DECISION = Pattern.compile(
            "# (\\d+)\\. \\S.*\n\n- Status: (?:proposed|accepted|superseded by )[^\n]*\n(?:  [^\n]*\n)*"
                    + "- Date: \\d{4}-\\d{2}-\\d{2}[^\n]*\n\n## Context\n\n.+\n\n## Decision\n\n.+\n\n## Consequences\n\n.+",
            Pattern.DOTALL);

    static List<Path> pages() throws IOException {
        try (Stream<Path> docs = Files.walk(DOCS)) {
            return Stream.concat(
                            Stream.of(README),
                            docs.filter(path -> path.toString().endsWith(".md")))
                    .sorted()
                    .toList();
        }
    }

    static List<Path> decisions() throws IOException {
        return pages().stream()
                .filter(path -> path.getFileName().toString().matches("\\d{4}-.*"))
                .toList();
    }

    private static String text(Path path) {
        try {
            return Files.readString(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The name by which a heading can be linked to. */
    private static String anchor(String heading) {
        return heading.toLowerCase(Locale.ROOT)
                .replaceAll("[^\\p{L}\\p{N} _-]", "")
                .strip()
                .replace(' ', '-');
    }

    private static boolean leadsSomewhere(Path page, String link) {
        String[] parts = link.split("#", 2);
        Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
        return Files.exists(target)
                && (parts.length == 1
                        || HEADING.matcher(text(target))
                                .results()
                                .anyMatch(heading -> anchor(heading.group(1)).equals(parts[1])));
    }

    @ParameterizedTest
    @MethodSource("pages")
    void linksLeadSomewhere(Path page) {
        assertThat(LINK.matcher(text(page))
                        .results()
                        .map(link -> link.group(1))
                        .filter(link ->
                                !link.startsWith("http") && !link.startsWith("<") && !page.endsWith("template.md")))
                .allMatch(link -> leadsSomewhere(page, link));
    }

    @ParameterizedTest
    @MethodSource("pages")
    void linesAreShort(Path page) {
        List<String> lines = new ArrayList<>(text(page).lines().toList());
        lines.removeIf(line -> line.startsWith("|"));
        assertThat(lines).allMatch(line -> line.length() <= LONGEST_LINE);
    }

    /** Each class that the page on the architecture names, with the method or the constant behind its name. */
    @Test
    void theWalksNameWhatExists() throws IOException {
        Map<String, String> sources;
        try (Stream<Path> files = Files.walk(Path.of("src"))) {
            sources = files.filter(path -> path.toString().endsWith(".java"))
                    .collect(Collectors.toMap(
                            path -> path.getFileName().toString().replace(".java", ""),
                            PagesTest::text,
                            String::concat));
        }
        List<MatchResult> named = NAMED.matcher(text(DOCS.resolve("architecture.md")))
                .results()
                .filter(name -> !name.group(1).matches("X[A-Z].*"))
                .toList();
        assertThat(named).hasSizeGreaterThan(80).allMatch(name -> exists(sources.get(name.group(1)), name.group(2)));
    }

    private static boolean exists(String source, String member) {
        return source != null
                && (member == null
                        || Pattern.compile("\\b" + member + "\\b")
                                .matcher(source)
                                .find());
    }

    @Test
    void theReadmeIsShort() {
        assertThat(text(README).lines().count()).isLessThanOrEqualTo(LONGEST_README);
    }

    @ParameterizedTest
    @MethodSource("decisions")
    void decisionsHaveOneForm(Path decision) {
        String number = decision.getFileName().toString().substring(0, 4);
        assertThat(text(decision)).matches(DECISION).startsWith("# " + Integer.parseInt(number) + ". ");
    }

    @Test
    void thereAreDecisions() throws IOException {
        assertThat(decisions()).hasSizeGreaterThan(20).doesNotHaveDuplicates();
    }
}
