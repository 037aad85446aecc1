package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.CapitalProperties;
import java.util.Map;
import java.util.Set;
import org.eclipse.microprofile.config.spi.ConfigSource;

/**
 * Lets Quarkus trust the forwarding headers of proxies, where {@code TRUSTED_PROXIES} names them; no header is trusted
 * otherwise. (Quarkus' own default is to believe everybody.)
 */
public class ProxiesSwitch implements ConfigSource {
    /** Above application.properties (250), below the environment (300) and system properties (400). */
    private static final int ORDINAL = 275;

    private final Map<String, String> settings;

    public ProxiesSwitch() {
        this(CapitalProperties.find("trusted.proxies"));
    }

    ProxiesSwitch(String proxies) {
        this.settings = proxies == null || TrustedProxies.parse(proxies).isEmpty()
                ? Map.of()
                : Map.of(
                        "quarkus.http.proxy.proxy-address-forwarding",
                        "true",
                        "quarkus.http.proxy.trusted-proxies",
                        String.join(",", TrustedProxies.entries(proxies)));
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
        return "TRUSTED_PROXIES";
    }

    @Override
    public int getOrdinal() {
        return ORDINAL;
    }
}
