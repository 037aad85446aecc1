package ai.buildscale.agents.platform.http;

import io.netty.handler.ipfilter.IpFilterRuleType;
import io.netty.handler.ipfilter.IpSubnetFilterRule;
import io.netty.util.NetUtil;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.impl.HttpServerConnection;
import jakarta.inject.Singleton;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** The proxies whose forwarding headers are trusted: addresses and networks, as {@code 10.0.0.0/8}. */
@Singleton
public class TrustedProxies {
    private static final String STANDARD = "Forwarded";
    private static final String FORWARDED_FOR = "X-Forwarded-For";
    private static final List<String> FORWARDED = List.of(
            STANDARD,
            FORWARDED_FOR,
            "X-Forwarded-Host",
            "X-Forwarded-Port",
            "X-Forwarded-Proto",
            "X-Forwarded-Ssl",
            "X-Forwarded-Prefix");

    /** A client without a name. */
    private static final Pattern NOBODY = Pattern.compile("(?i)for=\"?\\s*(?:[\";,]|$)");

    private final List<IpSubnetFilterRule> trusted;

    /** @throws IllegalArgumentException if a list is configured where it does not turn Quarkus' part on as well */
    TrustedProxies(
            @ConfigProperty(name = "trusted.proxies") Optional<String> configured,
            @ConfigProperty(name = "quarkus.http.proxy.proxy-address-forwarding", defaultValue = "false")
                    boolean believed) {
        this.trusted = parse(configured.orElse(""));
        if (isAnybodyTrusted() && !believed) {
            throw new IllegalArgumentException("TRUSTED_PROXIES must be a variable of the environment or a system"
                    + " property: in a file it comes too late");
        }
    }

    static List<String> entries(String list) {
        return Arrays.stream(list.split(","))
                .map(String::strip)
                .filter(entry -> !entry.isEmpty())
                .toList();
    }

    /**
     * Reads a list of networks.
     *
     * @throws IllegalArgumentException for one that is none; names are none, as each request would have to look them up
     */
    static List<IpSubnetFilterRule> parse(String list) {
        return entries(list).stream().map(TrustedProxies::network).toList();
    }

    private static IpSubnetFilterRule network(String entry) {
        String[] parts = entry.split("/", 2);
        boolean isV4 = NetUtil.isValidIpV4Address(parts[0]);
        int longest = isV4 ? 32 : 128;
        int prefix = parts.length == 1 ? longest : number(parts[1]);
        if (!(isV4 || NetUtil.isValidIpV6Address(parts[0])) || prefix < 0 || prefix > longest) {
            throw new IllegalArgumentException(
                    "TRUSTED_PROXIES: " + entry + " is neither an IP address nor a network such as 10.0.0.0/8");
        }
        return new IpSubnetFilterRule(parts[0], prefix, IpFilterRuleType.ACCEPT);
    }

    private static int number(String text) {
        return text.matches("\\d{1,3}") ? Integer.parseInt(text) : -1;
    }

    boolean trusts(InetSocketAddress peer) {
        return trusted.stream().anyMatch(network -> network.matches(peer));
    }

    /** Whether it can make a difference what requests say of where they come from. */
    boolean isAnybodyTrusted() {
        return !trusted.isEmpty();
    }

    /**
     * Takes away what a request says of where it comes from, unless a trusted proxy has sent it; and, where the proxy has
     * only added to it, what its client may have made up so that it cannot be read: Quarkus would never answer that.
     */
    void screen(HttpServerRequest request) {
        if (request.connection() instanceof HttpServerConnection connection
                && connection.channel().remoteAddress() instanceof InetSocketAddress peer
                && !trusts(peer)) {
            FORWARDED.forEach(request.headers()::remove);
            return;
        }
        String clients = request.getHeader(FORWARDED_FOR);
        if (clients != null && firstOf(clients).isBlank()) {
            request.headers().remove(FORWARDED_FOR);
        }
        String standard = request.getHeader(STANDARD);
        if (standard != null && NOBODY.matcher(standard).find()) {
            request.headers().remove(STANDARD);
        }
    }

    private static String firstOf(String list) {
        int comma = list.indexOf(',');
        return comma < 0 ? list : list.substring(0, comma);
    }
}
