package ai.buildscale.agents.platform.telemetry;

import ai.buildscale.agents.platform.CapitalProperties;
import java.util.Map;
import java.util.Set;
import org.eclipse.microprofile.config.spi.ConfigSource;

/** Turns traces on where {@code OTEL_EXPORTER_OTLP_ENDPOINT} names a collector; they are off otherwise. */
public class TracesSwitch implements ConfigSource {
    /** Above application.properties (250), below the environment (300) and system properties (400). */
    private static final int ORDINAL = 275;

    private static final String ENDPOINT = "quarkus.otel.exporter.otlp.endpoint";
    private static final String OFF = "quarkus.otel.sdk.disabled";

    private final Map<String, String> settings;

    public TracesSwitch() {
        this(CapitalProperties.find("otel.exporter.otlp.endpoint"));
    }

    TracesSwitch(String endpoint) {
        this.settings =
                endpoint == null || endpoint.isBlank() ? Map.of() : Map.of(ENDPOINT, endpoint.trim(), OFF, "false");
    }

    @Override
    public Set<String> getPropertyNames() {
        return settings.keySet();
    }

    @Override
    public String getValue(String name) {
        return settings.get(name);
    }

    @Override
    public String getName() {
        return "OTEL_EXPORTER_OTLP_ENDPOINT";
    }

    @Override
    public int getOrdinal() {
        return ORDINAL;
    }
}
