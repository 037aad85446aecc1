package ai.buildscale.agents.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What a Dockerfile says, stage by stage; an instruction that is not known here, or written in another way, fails. */
final class Dockerfile {
    static final Path FOLDER = Path.of("src/main/docker");
    private static final Pattern KNOWN =
            Pattern.compile("(FROM|ARG|ENV|COPY|RUN|USER|WORKDIR|EXPOSE|ENTRYPOINT|CMD|ADD) .*[^\\\\]");

    private final List<Stage> stages;

    private Dockerfile(List<Stage> stages) {
        this.stages = stages;
    }

    /** The instructions of a stage, a line each. */
    record Stage(List<String> lines) {
        /** What follows the name of each such instruction. */
        List<String> all(String instruction) {
            return lines.stream()
                    .filter(line -> line.startsWith(instruction + " "))
                    .map(line -> line.substring(instruction.length() + 1))
                    .toList();
        }

        /** What the last such instruction says, which is the one that counts. */
        String last(String instruction) {
            return all(instruction).getLast();
        }

        /** The words of what is started, which must not need a shell. */
        List<String> entrypoint() {
            try {
                JsonNode words = JsonMapper.builder().build().readTree(last("ENTRYPOINT"));
                if (!words.isArray()) {
                    throw new IllegalArgumentException("a shell would be started: " + words);
                }
                return words.valueStream().map(JsonNode::asText).toList();
            } catch (JsonProcessingException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
        }
    }

    static Dockerfile of(String name) {
        String text =
                Yaml.text(FOLDER.resolve(name)).replaceAll("(?m)^ *#.*\\n", "").replaceAll(" *\\\\\\n *", " ");
        // Docker takes "user root" and tabs too: whoever reads the stages would not see them
        List<String> unknown = instructions(text)
                .filter(line -> !KNOWN.matcher(line).matches())
                .toList();
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException(name + " has instructions that are not known here: " + unknown);
        }
        return new Dockerfile(Arrays.stream(("\n" + text).split("(?m)^(?=FROM )"))
                .map(stage -> new Stage(instructions(stage).toList()))
                .toList());
    }

    private static Stream<String> instructions(String text) {
        return text.lines().filter(line -> !line.isBlank());
    }

    /** The words of an instruction without its options. */
    static List<String> arguments(String instruction) {
        return Arrays.stream(instruction.split(" +"))
                .filter(word -> !word.startsWith("--"))
                .toList();
    }

    /** All stages; what stands before the first FROM comes first. */
    List<Stage> stages() {
        return stages;
    }

    /** The stage that is run. */
    Stage run() {
        return stages.getLast();
    }
}
