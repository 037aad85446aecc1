package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a control group is made, in folders that only look like some: most machines that build have none to give. */
class CgroupTest {
    @TempDir
    private Path top;

    private Path group(String name, String handsOut) throws IOException {
        Path group = Files.createDirectories(top.resolve(name));
        Files.writeString(group.resolve("cgroup.subtree_control"), handsOut + "\n");
        return group;
    }

    @Test
    void itIsBelowTheNearestThatHandsOutMemory() throws IOException, InterruptedException {
        group("", "cpu memory pids");
        Path slice = group("user.slice", "cpuset memory");
        Path own = group("user.slice/session.scope", "");

        Optional<Cgroup> made = Cgroup.create(top, own, 1000, 2);

        assertThat(made).isPresent();
        Path folder = made.get().folder();
        assertThat(folder).hasParent(slice);
        assertThat(folder.resolve("memory.max")).hasContent("1000");
        assertThat(folder.resolve("cgroup.procs")).isNotEmptyFile();
    }

    @Test
    void eachHasItsOwn() throws IOException, InterruptedException {
        Path own = group("", "memory");
        assertThat(Cgroup.create(top, own, 1000, 2).orElseThrow().folder())
                .isNotEqualTo(Cgroup.create(top, own, 1000, 2).orElseThrow().folder());
    }

    @Test
    void thereIsNoneWhereNobodyHandsOutMemory() throws IOException, InterruptedException {
        group("", "memory_recursiveprot hugetlb");
        assertThat(Cgroup.create(top, group("own", ""), 1000, 2)).isEmpty();
    }
}
