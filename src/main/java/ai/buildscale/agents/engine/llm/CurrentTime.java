package ai.buildscale.agents.engine.llm;

import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;

/** The tool that tells a model the current time. */
@ApplicationScoped
class CurrentTime implements Tool {
    private static final JsonObject PARAMETERS = new JsonObject("""
            {"type": "object", "properties": {
              "zone": {"type": "string", "description": "A time zone, as Europe/Berlin; UTC if not given"}}}""");

    private final Clock clock;

    CurrentTime(Clock clock) {
        this.clock = clock;
    }

    @Override
    public String name() {
        return "current_time";
    }

    @Override
    public String description() {
        return "Tells the date and the time of now.";
    }

    @Override
    public JsonObject parameters() {
        return PARAMETERS;
    }

    @Override
    public Uni<String> run(Invocation invocation) {
        return Uni.createFrom().item(() -> now(invocation.args().getValue("zone")));
    }

    private String now(Object zone) {
        try {
            ZoneId id = zone == null ? ZoneId.of("UTC") : ZoneId.of(zone.toString());
            return DateTimeFormatter.ISO_ZONED_DATE_TIME.format(
                    ZonedDateTime.now(clock.withZone(id)).truncatedTo(ChronoUnit.SECONDS));
        } catch (DateTimeException e) {
            throw new IllegalArgumentException("There is no time zone " + zone, e);
        }
    }
}
