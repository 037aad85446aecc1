package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdsTest {
    @Test
    void beginWithTheMillisecondAsRfc9562Shows() {
        UUID id = Ids.next(0x017F22E279B0L);

        // the example of RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F
        assertThat(id.toString()).startsWith("017f22e2-79b0-7");
        assertThat(id.version()).isEqualTo(7);
        assertThat(id.variant()).isEqualTo(2);
    }

    @Test
    void haveTheirVersionAndVariantWhateverTheDice() {
        assertThat(Stream.generate(Ids::next).limit(10_000))
                .allMatch(id -> id.version() == 7 && id.variant() == 2)
                .doesNotHaveDuplicates();
    }

    @Test
    void sortByTimeAsTextAndAsBytes() {
        List<UUID> ids = LongStream.of(0, 1, 255, 256, 65_536, 1_700_000_000_000L, 1_700_000_000_001L, (1L << 47))
                .mapToObj(Ids::next)
                .toList();

        assertThat(ids.stream().map(UUID::toString)).isSortedAccordingTo(Comparator.naturalOrder());
        assertThat(ids)
                .isSortedAccordingTo(
                        (a, b) -> Long.compareUnsigned(a.getMostSignificantBits(), b.getMostSignificantBits()));
    }

    @Test
    void areInTheOrderOfTheirMaking() {
        assertThat(Stream.generate(Ids::next).limit(10_000).map(UUID::toString).toList())
                .isSorted();
    }

    @Test
    void tellTheirTime() {
        long before = System.currentTimeMillis();
        long millis = Ids.next().getMostSignificantBits() >>> 16;

        assertThat(millis).isBetween(before, System.currentTimeMillis());
    }

    @Test
    void useAllTheirRandomBits() {
        long high = 0;
        long low = 0;
        for (int i = 0; i < 1_000; i++) {
            UUID id = Ids.next(0);
            high |= id.getMostSignificantBits();
            low |= id.getLeastSignificantBits();
        }

        assertThat(high).isEqualTo(0x7fffL);
        assertThat(low).isEqualTo(0xbfffffffffffffffL);
    }

    @Test
    void areReadInEitherCase() {
        UUID id = Ids.next();

        assertThat(Ids.parse(id.toString())).isEqualTo(id);
        assertThat(Ids.parse(id.toString().toUpperCase(java.util.Locale.ROOT))).isEqualTo(id);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "1-1-1-1-1",
                "0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2",
                "0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d0",
                "0199c2d57a107cc38f015f0f4a7b1c2d",
                "{0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d}",
                " 199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d",
                "0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2g",
                "00199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2",
                "+199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d"
            })
    void areReadInTheirOneFormOnly(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> Ids.parse(text));
    }

    @Test
    void secretsHave256Bits() {
        Set<String> secrets = new HashSet<>();
        for (int i = 0; i < 1_000; i++) {
            assertThat(secrets.add(Ids.secret())).isTrue();
        }

        assertThat(secrets).allMatch(secret -> secret.matches("[A-Za-z0-9_-]{43}"));
    }
}
