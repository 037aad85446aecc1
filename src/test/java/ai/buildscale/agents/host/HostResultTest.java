package ai.buildscale.agents.host;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which result is another's repeat: all that it says was said then. */
class HostResultTest {
    private static final ObjectMapper JSON =
            new ObjectMapper().setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE);

    private static HostResult result(String fields) throws JsonProcessingException {
        return JSON.readValue("{" + fields.replace('\'', '"') + "}", HostResult.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'outcome':'DONE','message':'a' | 'outcome':'DONE','message':'a' | true",
                "'outcome':'DONE','message':'a' | 'outcome':'DONE' | true",
                "'outcome':'DONE' | 'outcome':'DONE','message':'a' | false",
                "'outcome':'DONE','message':'a' | 'outcome':'DONE','message':'b' | false",
                "'outcome':'DONE' | 'outcome':'STOPPED' | false",
                "'outcome':'FAILED','error':'a' | 'outcome':'FAILED','error':'b' | false",
                "'outcome':'QUESTION','question':'a','schema':null | 'outcome':'QUESTION','question':'a' | true",
                "'outcome':'QUESTION','question':'a' | 'outcome':'QUESTION','question':'a','schema':null | true",
                "'outcome':'QUESTION','question':'a','schema':{'a':[1,{'b':2,'c':3}]} |"
                        + " 'outcome':'QUESTION','question':'a','schema':{'a':[1,{'c':3,'b':2}]} | true",
                "'outcome':'QUESTION','question':'a','schema':{'a':[1,2]} |"
                        + " 'outcome':'QUESTION','question':'a','schema':{'a':[2,1]} | false",
                "'outcome':'DONE','usage':{'input_tokens':1,'output_tokens':2} |"
                        + " 'outcome':'DONE','usage':{'input_tokens':1,'output_tokens':2} | true",
                "'outcome':'DONE','usage':{'input_tokens':1,'output_tokens':2} |"
                        + " 'outcome':'DONE','usage':{'input_tokens':12,'output_tokens':2} | false",
            })
    void isARepeat(String then, String now, boolean repeats) throws JsonProcessingException {
        HostResult first = result(then);
        assertThat(result(now).repeats(first.outcome().toString(), first.given()))
                .isEqualTo(repeats);
    }
}
