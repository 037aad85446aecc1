package ai.buildscale.agents.platform.telemetry;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.ServiceClasses;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import org.junit.jupiter.api.Test;

/** Metrics are there, at 0, when the first scrape comes: an autoscaler that finds none does not know what to do. */
class MetricsFromTheStartTest {
    @Test
    void whatHasMetricsIsMadeAtTheStart() {
        assertThat(new ClassFileImporter()
                        .withImportOption(new ServiceClasses())
                        .importPackages("ai.buildscale.agents"))
                .filteredOn(MetricsFromTheStartTest::registersWhenItIsMade)
                // those of a model begin with its first turn
                .filteredOn(type -> !type.getSimpleName().equals("LlmEngine"))
                .hasSizeGreaterThan(15)
                .allSatisfy(type -> assertThat(type.isAnnotatedWith(Startup.class) || observes(type))
                        .as(type.getName())
                        .isTrue());
    }

    private static boolean registersWhenItIsMade(JavaClass type) {
        boolean isBean = type.isAnnotatedWith(ApplicationScoped.class) || type.isAnnotatedWith(Singleton.class);
        return isBean
                && type.getConstructors().stream()
                        .anyMatch(made -> made.getRawParameterTypes().stream()
                                .anyMatch(parameter -> parameter.isEquivalentTo(MeterRegistry.class)));
    }

    /** What starts with the schema is made for that. */
    private static boolean observes(JavaClass type) {
        return type.getMethods().stream()
                .anyMatch(method -> method.getParameters().stream()
                        .anyMatch(parameter -> parameter.isAnnotatedWith(Observes.class)));
    }
}
