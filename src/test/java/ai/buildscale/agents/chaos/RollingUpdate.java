package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Service;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Servers of an earlier build ({@code -Dprevious.artifact}) are replaced by this one's under load, one after the other, on
 * one schema; {@code make rolling} runs it, as it has two builds.
 */
class RollingUpdate {
    @Test
    void newServersTakeOverFromOldOnesAndNothingIsLost() throws Exception {
        Scale scale = Scale.ofRun();
        try (Fleet fleet = Fleet.start(scale, Path.of(System.getProperty("previous.artifact")))) {
            fleet.build(Service.ARTIFACT);
            try (Round round = Round.begin(fleet, scale, scale.seed())) {
                round.flow();
                List<Fleet.Member> old = fleet.members();
                List<String> ids = old.stream().map(fleet::idOf).toList();
                for (Fleet.Member member : old) {
                    fleet.shutDown(member);
                    fleet.fill();
                    // both builds serve the same sessions meanwhile
                    round.flow();
                }
                round.judge();
                assertThat(ids).anyMatch(id -> !round.takenFrom(id).isEmpty());
            }
        }
    }
}
