package ai.buildscale.agents.deploy;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** nginx's configuration as a tree of directives. */
final class NginxConf {
    private static final Pattern TOKEN =
            Pattern.compile("#[^\\n]*|\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|[{};]|[^\\s{};]+");

    private NginxConf() {}

    /** A directive, with what stands in its braces, if it has any. */
    record Directive(String name, List<String> arguments, List<Directive> block) {
        Stream<Directive> all(String wanted) {
            return block.stream().filter(one -> one.name.equals(wanted));
        }

        Directive only(String wanted) {
            List<Directive> found = all(wanted).toList();
            if (found.size() != 1) {
                throw new AssertionError(found.size() + " of " + wanted + " in " + name);
            }
            return found.getFirst();
        }

        /** What follows its name. */
        String value() {
            return String.join(" ", arguments);
        }

        Directive at(String... path) {
            Directive found = this;
            for (String wanted : path) {
                found = found.only(wanted);
            }
            return found;
        }
    }

    static Directive parse(String text) {
        Iterator<String> tokens = TOKEN.matcher(text)
                .results()
                .map(MatchResult::group)
                .filter(token -> !token.startsWith("#"))
                .iterator();
        return new Directive("", List.of(), block(tokens, false));
    }

    private static List<Directive> block(Iterator<String> tokens, boolean nested) {
        List<Directive> directives = new ArrayList<>();
        List<String> words = new ArrayList<>();
        while (tokens.hasNext()) {
            String token = tokens.next();
            switch (token) {
                case ";" -> {
                    directives.add(directive(words, List.of()));
                    words.clear();
                }
                case "{" -> {
                    directives.add(directive(words, block(tokens, true)));
                    words.clear();
                }
                case "}" -> {
                    if (!nested || !words.isEmpty()) {
                        throw new IllegalArgumentException("a } after " + words);
                    }
                    return directives;
                }
                default -> words.add(token);
            }
        }
        if (nested || !words.isEmpty()) {
            throw new IllegalArgumentException("it ends after " + words);
        }
        return directives;
    }

    private static Directive directive(List<String> words, List<Directive> block) {
        if (words.isEmpty()) {
            throw new IllegalArgumentException("a directive without a name");
        }
        return new Directive(words.getFirst(), List.copyOf(words.subList(1, words.size())), block);
    }
}
