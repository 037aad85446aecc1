package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.net.InetSocketAddress;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrustedProxiesTest {
    @ParameterizedTest
    @CsvSource({
        "'10.0.0.0/8',                   10.255.0.1,   true",
        "'10.0.0.0/8',                   11.0.0.1,     false",
        "'10.1.2.3',                     10.1.2.3,     true",
        "'10.1.2.3',                     10.1.2.4,     false",
        "' 192.0.2.7 , 172.16.0.0/12 ',  172.31.9.9,   true",
        "'192.0.2.7,172.16.0.0/12',      172.32.0.1,   false",
        "'::1,fd00::/8',                 fd12::7,      true",
        "'::1,fd00::/8',                 fe80::7,      false",
        "'0.0.0.0/0',                    203.0.113.9,  true",
        "'',                             127.0.0.1,    false"
    })
    void trustsWhomItIsTold(String configured, String peer, boolean trusted) {
        TrustedProxies proxies = new TrustedProxies(Optional.of(configured).filter(list -> !list.isEmpty()), true);

        assertThat(proxies.trusts(new InetSocketAddress(peer, 4711))).isEqualTo(trusted);
    }

    @Test
    void aListThatComesTooLateForQuarkusIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TrustedProxies(Optional.of("10.0.0.0/8"), false))
                .withMessageContaining("TRUSTED_PROXIES");
        assertThat(new TrustedProxies(Optional.empty(), false).isAnybodyTrusted())
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"proxy.example", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.1/", "10.0.0.1/x", "*"})
    void refusesWhatIsNoNetworkByItsName(String entry) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ProxiesSwitch("10.0.0.0/8," + entry))
                .withMessageContaining("TRUSTED_PROXIES")
                .withMessageContaining(entry);
    }

    /** Quarkus believes everybody, once it is turned on without a list. */
    @Test
    void nobodyIsBelievedWithoutAList() {
        for (String none : new String[] {null, "", " ", " , "}) {
            assertThat(new ProxiesSwitch(none).getPropertyNames()).isEmpty();
        }
        ProxiesSwitch on = new ProxiesSwitch(" 10.0.0.0/8, ::1 ");
        assertThat(on.getValue("quarkus.http.proxy.proxy-address-forwarding")).isEqualTo("true");
        assertThat(on.getValue("quarkus.http.proxy.trusted-proxies")).isEqualTo("10.0.0.0/8,::1");
    }
}
