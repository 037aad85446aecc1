package ai.buildscale.agents.browser;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** The machine's Chromium without a window, in a profile of its own: {@code CHROMIUM}, or the one on the path. */
final class Chromium implements AutoCloseable {
    private final Playwright playwright;
    private final Browser browser;

    Chromium() {
        playwright = Playwright.create(
                new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
        List<String> flags =
                new ArrayList<>(List.of("--disable-gpu", "--disable-background-networking", "--no-first-run"));
        if (System.getProperty("user.name").equals("root")) {
            flags.add("--no-sandbox");
        }
        browser = launch(flags);
    }

    /** Or nothing is left: what Playwright runs would be nobody's to end. */
    private Browser launch(List<String> flags) {
        try {
            return playwright
                    .chromium()
                    .launch(new BrowserType.LaunchOptions()
                            .setExecutablePath(executable())
                            .setHeadless(true)
                            .setArgs(flags));
        } catch (RuntimeException | Error e) {
            playwright.close();
            throw e;
        }
    }

    private static Path executable() {
        Stream<String> onThePath = Stream.of(System.getenv("PATH").split(":"))
                .flatMap(folder ->
                        Stream.of(folder + "/chromium", folder + "/chromium-browser", folder + "/google-chrome"));
        return Stream.concat(Optional.ofNullable(System.getenv("CHROMIUM")).stream(), onThePath)
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new AssertionError("There is no Chromium: install one, or set CHROMIUM to it"));
    }

    Page open(String url) {
        Page page = browser.newPage();
        page.navigate(url);
        return page;
    }

    @Override
    public void close() {
        try {
            browser.close();
        } finally {
            playwright.close();
        }
    }
}
