package ai.buildscale.agents.engine.scripted;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Reads and writes plans as people do: numbered lines like {@code 1. this}. */
final class NumberedPlan {
    private static final Pattern NUMBERED = Pattern.compile("\\d{1,6}[.)]\\s++(.++)", Pattern.DOTALL);
    private static final Pattern BETWEEN_CLAUSES = Pattern.compile("[.,;:!?]| and ");
    private static final int MOST_CLAUSES = 3;

    private NumberedPlan() {}

    /** Makes three to five steps towards a goal: a clause of the goal is a step. */
    static List<String> towards(String goal) {
        List<String> clauses = Arrays.stream(BETWEEN_CLAUSES.split(goal))
                .map(String::strip)
                .filter(clause -> !clause.isEmpty())
                .limit(MOST_CLAUSES)
                .toList();
        List<String> steps = new ArrayList<>();
        steps.add("Find out what is there already");
        steps.addAll(clauses.isEmpty() ? List.of("Do what is asked for") : clauses);
        steps.add("Check that it is as it should be");
        return steps;
    }

    /** Finds the numbered steps of a text. */
    static List<String> in(String text) {
        return text.lines()
                .map(line -> NUMBERED.matcher(line.strip()))
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .toList();
    }

    static String numbered(List<String> steps) {
        return IntStream.range(0, steps.size())
                .mapToObj(i -> (i + 1) + ". " + steps.get(i))
                .collect(Collectors.joining("\n"));
    }
}
