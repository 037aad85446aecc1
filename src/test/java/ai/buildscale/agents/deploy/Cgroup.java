package ai.buildscale.agents.deploy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/** A control group (v2) that holds one process to its memory and cores; there is none where nobody may make one. */
final class Cgroup implements AutoCloseable {
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final Path folder;

    private Cgroup(Path folder) {
        this.folder = folder;
    }

    /** Makes one below the nearest group around this process that hands memory out to others, if this user may. */
    static Optional<Cgroup> create(long memory, long cores) throws IOException, InterruptedException {
        Optional<Path> mount = mount();
        Optional<String> own = Files.readAllLines(Path.of("/proc/self/cgroup")).stream()
                .filter(line -> line.startsWith("0::/"))
                .map(line -> line.substring("0::/".length()))
                .findFirst();
        return mount.isEmpty() || own.isEmpty()
                ? Optional.empty()
                : create(mount.get(), mount.get().resolve(own.get()).normalize(), memory, cores);
    }

    /** The same for a process in the group {@code own}; {@code top} is the one around all. */
    static Optional<Cgroup> create(Path top, Path own, long memory, long cores)
            throws IOException, InterruptedException {
        for (Path around = own; around.startsWith(top); around = around.getParent()) {
            if (handsOutMemory(around) && Files.isWritable(around)) {
                Cgroup cgroup = new Cgroup(around.resolve(
                        "agent-sessions-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet()));
                if (cgroup.make(memory, cores)) {
                    return Optional.of(cgroup);
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<Path> mount() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                .filter(line -> line.contains(" - cgroup2 "))
                .map(line -> line.split(" ", -1))
                .filter(words -> words[3].equals("/"))
                .map(words -> Path.of(words[4]))
                .findFirst();
    }

    private static boolean handsOutMemory(Path group) throws IOException {
        Path file = group.resolve("cgroup.subtree_control");
        return Files.isReadable(file)
                && Arrays.asList(Files.readString(file).strip().split(" ", -1)).contains("memory");
    }

    /** Whether there is one now, and a process of this user may go in. */
    private boolean make(long memory, long cores) throws IOException, InterruptedException {
        try {
            Files.createDirectory(folder);
        } catch (IOException e) {
            return false;
        }
        try {
            Files.writeString(folder.resolve("memory.max"), Long.toString(memory));
            writeIfThere("memory.swap.max", "0");
            writeIfThere("cpu.max", cores * 100_000 + " 100000");
            int code = new ProcessBuilder("sh", "-c", "echo $$ > cgroup.procs")
                    .directory(folder.toFile())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
            if (code == 0) {
                return true;
            }
        } catch (IOException e) {
            // below: as if it could not be made
        }
        close();
        return false;
    }

    private void writeIfThere(String name, String value) throws IOException {
        if (Files.exists(folder.resolve(name))) {
            Files.writeString(folder.resolve(name), value);
        }
    }

    Path folder() {
        return folder;
    }

    /** How often a process was ended because the memory was not enough. */
    long killed() throws IOException {
        return Files.readAllLines(folder.resolve("memory.events")).stream()
                .filter(line -> line.startsWith("oom_kill "))
                .mapToLong(line -> Long.parseLong(line.substring("oom_kill ".length())))
                .sum();
    }

    /** Removes it; whoever was in it has ended. */
    @Override
    public void close() throws IOException {
        Files.deleteIfExists(folder);
    }
}
