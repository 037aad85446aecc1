package ai.buildscale.agents.observability;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A PromQL expression, read roughly: enough to say which series it wants, and to find a bracket that is not closed or a
 * function that there is not. Not read are subqueries, {@code @}, and matchers without a metric.
 */
record PromQl(List<Selector> selectors, Set<String> groupings) {
    /**
     * The series that are wanted of one metric.
     *
     * @param function what they are given to, empty if nothing
     * @param ranged whether as a range
     * @param excluded whether to take them away from what stands before, by {@code unless}
     */
    record Selector(String metric, List<Condition> conditions, String function, boolean ranged, boolean excluded) {
        /** Whether it wants the series with these labels; one that is not among them it does not look at. */
        boolean matches(Map<String, String> labels) {
            return conditions.stream()
                    .allMatch(condition ->
                            !labels.containsKey(condition.label()) || condition.matches(labels.get(condition.label())));
        }
    }

    /** A label matcher. */
    record Condition(String label, String operator, String value) {
        boolean matches(String actual) {
            return switch (operator) {
                case "=" -> actual.equals(value);
                case "!=" -> !actual.equals(value);
                case "=~" -> actual.matches(value);
                default -> !actual.matches(value);
            };
        }
    }

    private static final Set<String> OF_RANGES = Set.of("rate", "increase", "changes");
    private static final Set<String> FUNCTIONS =
            Set.of("sum", "min", "max", "avg", "count", "topk", "absent", "histogram_quantile", "clamp_min", "vector");
    private static final Set<String> GROUPINGS = Set.of("by", "without", "on", "ignoring", "group_left", "group_right");
    private static final Set<String> WORDS = Set.of("and", "or", "unless", "bool");
    private static final Pattern DURATION = Pattern.compile("\\[(\\d+[smhdw]|\\$__rate_interval)]");
    private static final Pattern TOKEN = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"|\\[[^\\]]*]|[a-zA-Z_:][a-zA-Z0-9_:]*"
            + "|\\d+(?:\\.\\d+)?|==|!=|>=|<=|=~|!~|[-+*/%^<>=(){},]|\\S");

    /** @throws IllegalArgumentException if it is not an expression, as far as can be told */
    static PromQl read(String expression) {
        List<String> tokens =
                TOKEN.matcher(expression).results().map(found -> found.group()).toList();
        return new Reader(expression, tokens).read();
    }

    private static final class Reader {
        private final String expression;
        private final List<String> tokens;
        private final Deque<String> open = new ArrayDeque<>();
        /** For each parenthesis that is open, and outside of all: whether what follows is taken away. */
        private final Deque<Boolean> excluding = new ArrayDeque<>(List.of(false));

        private final List<Selector> selectors = new ArrayList<>();
        private final Set<String> groupings = new HashSet<>();
        private int at;

        Reader(String expression, List<String> tokens) {
            this.expression = expression;
            this.tokens = tokens;
        }

        PromQl read() {
            boolean value = false;
            while (at < tokens.size()) {
                value = next(tokens.get(at++), value);
            }
            check(open.isEmpty(), "a parenthesis is not closed");
            check(value, "it ends in the middle");
            check(!selectors.isEmpty(), "it names no metric");
            return new PromQl(List.copyOf(selectors), Set.copyOf(groupings));
        }

        /** Whether what was read is a value: it may stand at the end, and before an operator. */
        private boolean next(String token, boolean value) {
            if (token.equals("(")) {
                enter("");
                return false;
            }
            if (token.equals(")")) {
                check(value && !open.isEmpty(), "a parenthesis is closed too early");
                open.pop();
                excluding.pop();
                return true;
            }
            if (isName(token)) {
                return name(token, value);
            }
            if (Character.isDigit(token.charAt(0))) {
                return true;
            }
            check(token.matches("==|!=|>=|<=|[-+*/%^<>,]"), "there is an unexpected " + token);
            check(value || token.equals("-"), "nothing stands before " + token);
            return false;
        }

        private boolean name(String name, boolean value) {
            boolean called = peek().equals("(");
            if (GROUPINGS.contains(name) && called) {
                at++;
                while (!peek().equals(")")) {
                    String label = take();
                    check(isName(label) || label.equals(","), "it groups by " + label);
                    if (isName(label)) {
                        groupings.add(label);
                    }
                }
                at++;
                // what it groups may come before it or after it
                return value;
            }
            if (WORDS.contains(name)) {
                check(value, "nothing stands before " + name);
                if (!name.equals("bool")) {
                    excluding.pop();
                    excluding.push(name.equals("unless") || (!excluding.isEmpty() && excluding.peek()));
                }
                return false;
            }
            if (called || peek().equals("by") || peek().equals("without")) {
                check(FUNCTIONS.contains(name) || OF_RANGES.contains(name), "there is no function " + name);
                while (!peek().equals("(")) {
                    String grouping = take();
                    check(GROUPINGS.contains(grouping), name + " is not called");
                    name(grouping, false);
                }
                at++;
                enter(name);
                return false;
            }
            check(!value, "there is no operator before " + name);
            selector(name);
            return true;
        }

        private void enter(String function) {
            open.push(function);
            excluding.push(excluding.peek());
        }

        private void selector(String metric) {
            List<Condition> conditions = new ArrayList<>();
            if (peek().equals("{")) {
                at++;
                while (!peek().equals("}")) {
                    String label = take();
                    String operator = take();
                    String quoted = take();
                    check(
                            isName(label) && operator.matches("=|!=|=~|!~") && quoted.startsWith("\""),
                            "{} of " + metric);
                    conditions.add(new Condition(label, operator, quoted.substring(1, quoted.length() - 1)));
                    check(peek().matches("[,}]"), "{} of " + metric);
                    at += peek().equals(",") ? 1 : 0;
                }
                at++;
            }
            boolean ranged = peek().startsWith("[");
            if (ranged) {
                Matcher duration = DURATION.matcher(take());
                check(duration.matches(), "the range of " + metric);
            }
            String function = open.isEmpty() ? "" : open.peek();
            check(ranged == OF_RANGES.contains(function), metric + " must have a range in " + OF_RANGES + " alone");
            selectors.add(new Selector(metric, List.copyOf(conditions), function, ranged, excluding.peek()));
        }

        private String peek() {
            return at < tokens.size() ? tokens.get(at) : "";
        }

        private String take() {
            check(at < tokens.size(), "it ends too early");
            return tokens.get(at++);
        }

        private static boolean isName(String token) {
            return Character.isLetter(token.charAt(0)) || token.charAt(0) == '_';
        }

        private void check(boolean right, String complaint) {
            if (!right) {
                throw new IllegalArgumentException(complaint + ": " + expression);
            }
        }
    }
}
