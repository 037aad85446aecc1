package ai.buildscale.agents.platform.telemetry;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The process' memory as Linux counts it against a container's limit, which the heap is only a part of. */
@Startup
@Singleton
class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String RESIDENT = "VmRSS:";

    ProcessMemory(MeterRegistry metrics) {
        Gauge.builder("process.resident.memory", ProcessMemory::resident)
                .description("resident memory; NaN where the system does not tell")
                .baseUnit("bytes")
                .register(metrics);
    }

    private static double resident() {
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith(RESIDENT))
                    .mapToDouble(line -> 1024
                            * Double.parseDouble(line.substring(RESIDENT.length(), line.length() - " kB".length())))
                    .findFirst()
                    .orElse(Double.NaN);
        } catch (IOException e) {
            return Double.NaN;
        }
    }
}
