package ai.buildscale.agents.deploy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** A Dockerfile as its instructions, in stages; an instruction that it does not know fails. */
record Dockerfile(List<Instruction> before, List<Stage> stages) {
    private static final Set<String> KNOWN = Set.of(
            "FROM", "ARG", "ENV", "COPY", "RUN", "USER", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD", "LABEL", "ADD");

    /** Its words: options, as {@code --chown=0:0}, and the rest. */
    record Instruction(String name, String text) {
        private List<String> words() {
            return Arrays.asList(text.split("\\s+", -1));
        }

        List<String> options() {
            return words().stream().filter(word -> word.startsWith("--")).toList();
        }

        List<String> arguments() {
            return words().stream().filter(word -> !word.startsWith("--")).toList();
        }
    }

    record Stage(Instruction from, List<Instruction> instructions) {
        List<Instruction> all(String name) {
            return instructions.stream().filter(one -> one.name().equals(name)).toList();
        }

        String last(String name) {
            return all(name).getLast().text();
        }
    }

    Stage run() {
        return stages.getLast();
    }

    static Dockerfile read(Path file) {
        List<Instruction> before = new ArrayList<>();
        List<Stage> stages = new ArrayList<>();
        StringBuilder open = new StringBuilder();
        for (String line : Yaml.text(file).lines().map(String::strip).toList()) {
            if (line.startsWith("#") || line.isEmpty()) {
                continue;
            }
            if (line.endsWith("\\")) {
                open.append(line, 0, line.length() - 1);
                continue;
            }
            Instruction instruction = instruction(open + line);
            open.setLength(0);
            if (instruction.name().equals("FROM")) {
                stages.add(new Stage(instruction, new ArrayList<>()));
            } else if (stages.isEmpty()) {
                before.add(instruction);
            } else {
                stages.getLast().instructions().add(instruction);
            }
        }
        if (!open.isEmpty()) {
            throw new IllegalArgumentException("it ends within " + open);
        }
        return new Dockerfile(before, stages);
    }

    private static Instruction instruction(String line) {
        int space = line.indexOf(' ');
        if (space < 0 || !KNOWN.contains(line.substring(0, space))) {
            throw new IllegalArgumentException("no instruction: " + line);
        }
        return new Instruction(
                line.substring(0, space), line.substring(space + 1).strip());
    }
}
