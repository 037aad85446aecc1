package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The judge of {@link ChaosIT} finds what it is there to find. */
class HistoryTest {
    private static final Workload.Created SESSION = new Workload.Created("s", "a", true, false);

    /** Created at a, started, paused there, taken over by b, which hears of the pause; cancelled, and fenced by it. */
    private static final List<String> EVENTS = List.of(
            "agent_status {'status':'idle','previous_status':null,'reason':null,'epoch':1,'version':1}",
            "agent_status {'status':'running','previous_status':'idle','reason':null,'epoch':1,'version':2}",
            "agent_task {'task':'t','version':2}",
            "agent_status {'status':'paused','previous_status':'running','reason':null,'epoch':1,'version':3}",
            "agent_command {'command_id':'p','command':'pause','state':'accepted','epoch':1,'server_id':'a','fenced':false}",
            "agent_recovered {'status':'paused','from_server_id':'a','server_id':'b','epoch':2,'version':4}",
            "agent_command {'command_id':'p','command':'pause','state':'delivered','epoch':2,'server_id':'b','fenced':false}",
            "agent_command {'command_id':'p','command':'pause','state':'applied','epoch':2,'server_id':'b','fenced':false}",
            "agent_status {'status':'cancelled','previous_status':'paused','reason':null,'epoch':2,'version':5}",
            "agent_command {'command_id':'c','command':'cancel','state':'accepted','epoch':2,'server_id':'b','fenced':false}",
            "agent_command {'command_id':'c','command':'cancel','state':'applied','epoch':3,'server_id':'b','fenced':true}");

    private static final JsonNode NOW =
            json("{'status':'cancelled','version':6,'epoch':3,'server_id':'b','is_terminal':true}");

    private static JsonNode json(String text) {
        try {
            return Api.JSON.readTree(text.replace('\'', '"'));
        } catch (JsonProcessingException e) {
            throw new AssertionError(text, e);
        }
    }

    private static History history(List<String> lines) {
        List<JsonNode> events = new ArrayList<>();
        for (String line : lines) {
            int space = line.indexOf(' ');
            events.add(json("{'position':" + (events.size() + 1) + ",'event':'" + line.substring(0, space)
                    + "','data':{'session_id':'s'," + line.substring(space + 2) + "}"));
        }
        return History.of(SESSION, events, NOW);
    }

    private static Workload.Change change(String status, long version, String task) {
        return new Workload.Change("s", "any", status, version, task);
    }

    @Test
    void findsNothingWrongWithWhatIsRight() {
        assertThat(history(EVENTS)
                        .broken(List.of(
                                change("idle", 1, null), change("running", 2, "t"), change("cancelled", 6, null))))
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            1  | 'version':2               | 'version':3
            1  | 'previous_status':'idle'  | 'previous_status':'running'
            2  | 'version':2               | 'version':1
            3  | 'status':'paused'         | 'status':'error'
            3  | 'reason':null             | 'reason':'stale'
            4  | 'server_id':'a'           | 'server_id':'b'
            5  | 'from_server_id':'a'      | 'from_server_id':'c'
            5  | 'server_id':'b'           | 'server_id':'a'
            5  | 'epoch':2                 | 'epoch':3
            5  | 'status':'paused'         | 'status':'running'
            6  | 'epoch':2,'server_id':'b' | 'epoch':1,'server_id':'a'
            7  | 'applied'                 | 'delivered'
            8  | 'epoch':2                 | 'epoch':1
            9  | 'accepted'                | 'delivered'
            10 | 'fenced':true             | 'fenced':false
            10 | 'epoch':3                 | 'epoch':4
            """)
    void findsWhatIsWrong(int line, String right, String wrong) {
        List<String> lines = new ArrayList<>(EVENTS);
        String changed = lines.get(line).replace(right, wrong);
        assertThat(changed).isNotEqualTo(lines.set(line, changed));
        assertThat(history(lines).broken(List.of())).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource({"1", "3", "5", "7", "9", "10"})
    void findsWhatIsMissing(int line) {
        List<String> lines = new ArrayList<>(EVENTS);
        lines.remove(line);
        assertThat(history(lines).broken(List.of())).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource({"1", "5", "6", "7", "10"})
    void findsWhatIsToldTwice(int line) {
        List<String> lines = new ArrayList<>(EVENTS);
        lines.add(line, lines.get(line));
        assertThat(history(lines).broken(List.of())).isNotEmpty();
    }

    @Test
    void knowsThatOneFencingEndsAllThatIsOpen() {
        List<String> lines = new ArrayList<>(EVENTS);
        lines.remove(7); // the pause is not carried out
        lines.add(lines.getLast().replace("'c'", "'p'").replace("cancel", "pause"));
        assertThat(history(lines).broken(List.of())).isEmpty();

        lines.set(7, lines.get(7).replace("cancelled", "running"));
        assertThat(history(lines).broken(List.of())).isNotEmpty();
    }

    @Test
    void findsAcknowledgedChangesThatAreNotThere() {
        History history = history(EVENTS);
        assertThat(history.broken(List.of(change("cancelled", 7, null)))).hasSize(1);
        assertThat(history.broken(List.of(change("idle", 2, null)))).hasSize(1);
        assertThat(history.broken(List.of(change("running", 2, "another")))).hasSize(1);
    }
}
