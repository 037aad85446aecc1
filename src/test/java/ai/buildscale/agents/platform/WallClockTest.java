package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.testing.ServiceClasses;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.quarkus.scheduler.Scheduled;
import java.time.Clock;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * The wall clock may be set while the service runs, also back, and by an hour. No wait, no age and no interval is computed from
 * it: that is what {@code System.nanoTime} is for.
 */
class WallClockTest {
    /** Who may read the wall clock, and why. */
    private static final Map<String, String> READERS = Map.of(
            "platform.security.Authentication", "a token ends at a time of the world",
            "platform.security.TokenCheck", "a token begins and ends at a time of the world",
            "event.EventService", "a stream ends with its token",
            "event.EventLoopSubscribers", "a stream ends with its token",
            "host.HostStream", "a stream ends with its token",
            "platform.Ids", "a UUIDv7 begins with the time, and never with an earlier one than the last",
            "engine.llm.CurrentTime", "a model asks what time it is");

    private static final String HOUSE = "ai.buildscale.agents.";

    private static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(new ServiceClasses()).importPackages("ai.buildscale.agents");

    private static boolean readsTheWallClock(AccessTarget target) {
        JavaClass owner = target.getOwner();
        return switch (target.getName()) {
            case "currentTimeMillis" -> owner.isEquivalentTo(System.class);
            case "now" -> owner.getPackageName().equals("java.time");
            case "instant", "millis" -> owner.isAssignableTo(Clock.class);
            case "<init>" ->
                owner.getName().equals("java.util.Date") || owner.getName().equals("java.util.GregorianCalendar");
            default -> false;
        };
    }

    private static String name(JavaClass type) {
        return type.getName().substring(HOUSE.length()).replaceAll("\\$.*", "");
    }

    @Test
    void isReadByThoseOnlyWhoNeedTheTimeOfTheWorld() {
        Map<String, Set<String>> readers = new TreeMap<>();
        for (JavaClass type : CLASSES) {
            type.getAccessesFromSelf().stream()
                    .filter(access -> readsTheWallClock(access.getTarget()))
                    .forEach(access -> readers.computeIfAbsent(name(type), _ -> new TreeSet<>())
                            .add(access.getDescription()));
        }

        assertThat(readers).containsOnlyKeys(READERS.keySet());
    }

    /** The scheduler goes by the wall clock. */
    @Test
    void whatIsScheduledIsCalledAlsoWhenTheSchedulerRests() {
        Set<String> left = new TreeSet<>();
        int scheduled = 0;
        for (JavaClass type : CLASSES) {
            for (JavaMethod method : type.getMethods()) {
                if (method.isAnnotatedWith(Scheduled.class)) {
                    scheduled++;
                    boolean held = method.getMethodCallsFromSelf().stream()
                            .map(call -> call.getTargetOwner())
                            .anyMatch(owner -> owner.isEquivalentTo(Jobs.class) || owner.isEquivalentTo(Sweeps.class));
                    if (!held) {
                        left.add(method.getFullName());
                    }
                }
            }
        }

        assertThat(scheduled).isGreaterThan(5);
        assertThat(left).isEmpty();
    }
}
