package ai.buildscale.agents.deploy;

import ai.buildscale.agents.deploy.Dockerfile.Stage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The files of the image of Dockerfile.native in a folder: what its last stage copies, and of the base image what that needs. */
final class ImageTree {
    /** On ubi9-micro it has glibc, libstdc++ and zlib, as Quarkus' guide says; another one may have others. */
    static final String BASE_IMAGE = "quay.io/quarkus/ubi9-quarkus-micro-image:2.0";

    private static final Pattern LIBRARIES = Pattern.compile(
            "(ld-linux-x86-64|lib(c|m|dl|rt|pthread|util|resolv|nss_files|nss_dns|stdc\\+\\+|gcc_s|z))\\.so\\.[0-9]+");
    /**
     * What glibc opens by name, so that ldd does not know of it: who resolves localhost and other names (a part of libc itself
     * since 2.34), and who ends a thread.
     */
    private static final List<String> BY_NAME =
            List.of("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2", "libgcc_s.so.1");

    private static final Pattern FILE_OF_LIBRARY = Pattern.compile("(/\\S+) \\(0x[0-9a-f]+\\)");
    private static final Pattern MODE = Pattern.compile("--chmod=0([0-7]{3}) ");
    /** Where Debian, and where Fedora and its kin keep the certificates of all authorities; the image has the latter. */
    private static final List<Path> CERTIFICATES =
            List.of(Path.of("/etc/ssl/certs/ca-certificates.crt"), Path.of("/etc/pki/tls/certs/ca-bundle.crt"));

    private final Path root;

    private ImageTree(Path root) {
        this.root = root;
    }

    /**
     * Puts it together.
     *
     * @param folder an empty one
     * @param mounts what is mounted there besides, as {@code /keys}
     */
    static ImageTree build(Path folder, List<String> mounts) throws IOException, InterruptedException {
        ImageTree tree = new ImageTree(folder.toAbsolutePath());
        Stage run = Dockerfile.of("Dockerfile.native").run();
        tree.folders(tree.root);
        for (String copy : run.all("COPY")) {
            tree.copy(copy);
        }
        tree.librariesOf(tree.root.resolve(run.entrypoint().getFirst().substring(1)));
        for (Path file : CERTIFICATES) {
            if (Files.exists(file)) {
                tree.put(file, CERTIFICATES.getLast().toString(), "444");
                break;
            }
        }
        // what a container's runtime brings
        tree.folders(tree.at("/etc"));
        Files.writeString(tree.at("/etc/hosts"), "127.0.0.1 localhost\n");
        for (String mount : mounts) {
            tree.folders(tree.at(mount));
        }
        for (String mount : List.of("/proc", "/dev", "/sys/fs/cgroup", "/tmp")) {
            tree.folders(tree.at(mount));
        }
        return tree;
    }

    Path root() {
        return root;
    }

    private Path at(String path) {
        return root.resolve(path.substring(1));
    }

    private void copy(String instruction) throws IOException {
        List<String> words = Dockerfile.arguments(instruction);
        Matcher mode = MODE.matcher(instruction);
        if (words.size() != 2 || !mode.find() || !words.getFirst().startsWith("/code/")) {
            throw new IllegalArgumentException("not one file of the build with a mode: COPY " + instruction);
        }
        Path source = Path.of(words.getFirst().substring("/code/".length()));
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(
                source.getParent(), source.getFileName().toString())) {
            files.forEach(found::add);
        }
        if (found.size() != 1) {
            throw new IllegalStateException(source + " is " + found + ": run make native");
        }
        put(found.getFirst(), words.getLast(), mode.group(1));
    }

    private void librariesOf(Path program) throws IOException, InterruptedException {
        Process ldd = new ProcessBuilder("ldd", program.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String needed = new String(ldd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (ldd.waitFor() != 0 || needed.contains("not found")) {
            throw new IOException("ldd says of " + program + ":\n" + needed);
        }
        List<Path> libraries = FILE_OF_LIBRARY
                .matcher(needed)
                .results()
                .map(found -> Path.of(found.group(1)))
                .toList();
        for (Path library : libraries) {
            if (!LIBRARIES.matcher(library.getFileName().toString()).matches()) {
                throw new AssertionError(BASE_IMAGE + " has no " + library.getFileName());
            }
            put(library, library.toString(), "555");
            if (library.endsWith("libc.so.6")) {
                for (String name : BY_NAME) {
                    if (Files.exists(library.resolveSibling(name))) {
                        put(
                                library.resolveSibling(name),
                                library.resolveSibling(name).toString(),
                                "555");
                    }
                }
            }
        }
    }

    private void put(Path source, String target, String mode) throws IOException {
        Path file = at(target);
        folders(file.getParent());
        try {
            Files.copy(source, file);
        } catch (FileAlreadyExistsException e) {
            // a library that glibc opens by name, and that is linked too
            return;
        }
        Files.setPosixFilePermissions(file, permissions(Integer.parseInt(mode, 8)));
    }

    private static Set<PosixFilePermission> permissions(int mode) {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        PosixFilePermission[] all = PosixFilePermission.values();
        for (int i = 0; i < all.length; i++) {
            if ((mode & 0400 >> i) != 0) {
                permissions.add(all[i]);
            }
        }
        return permissions;
    }

    /** Such as every user may enter, whatever the umask is. */
    private void folders(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            folders(folder.getParent());
            Files.createDirectory(folder);
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    /** Every file that is in it, as the server sees it. */
    Set<String> files() throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return Set.copyOf(files.filter(Files::isRegularFile)
                    .map(file -> "/" + root.relativize(file))
                    .toList());
        }
    }
}
