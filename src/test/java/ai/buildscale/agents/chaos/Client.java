package ai.buildscale.agents.chaos;

import ai.buildscale.agents.testing.Api;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;

/**
 * A careful client of the fleet: whatever a server does not answer, or answers with 503, it asks another one, with the
 * same {@code Idempotency-Key}, until it knows what became of it. Each thread has its own.
 */
final class Client {
    private static final Duration GIVE_UP = Duration.ofSeconds(60);

    private final Fleet fleet;
    private final Api user;
    private final Random random;
    private final Trouble trouble;

    Client(Fleet fleet, Api user, Random random, Trouble trouble) {
        this.fleet = fleet;
        this.user = user;
        this.random = random;
        this.trouble = trouble;
    }

    /** What stood in the clients' way: connections that were cut or refused, and answers 503 by server. */
    record Trouble(AtomicInteger cut, Map<String, Integer> unavailable) {
        Trouble() {
            this(new AtomicInteger(), new ConcurrentHashMap<>());
        }
    }

    /** The first answer that says something. */
    Api.Reply send(String method, String path, String body) {
        return send(method, path, _ -> body);
    }

    /** @param body what is sent at each attempt; POSTs must be the same each time */
    Api.Reply send(String method, String path, IntFunction<String> body) {
        String[] key = method.equals("POST")
                ? new String[] {"Idempotency-Key", new UUID(random.nextLong(), random.nextLong()).toString()}
                : new String[0];
        Instant deadline = Instant.now().plus(GIVE_UP);
        String last = "";
        for (int attempt = 0; Instant.now().isBefore(deadline); attempt++) {
            Fleet.Member member = fleet.any(random);
            try {
                Api.Reply reply = user.at(member.service()).send(method, path, body.apply(attempt), key);
                if (reply.status() != 503 && !(reply.status() == 409 && isInFlight(reply))) {
                    return reply;
                }
                last = reply.text();
                if (reply.status() == 503) {
                    trouble.unavailable().merge(member.hostname(), 1, Integer::sum);
                }
            } catch (UncheckedIOException e) {
                last = e.getCause().toString();
                trouble.cut().incrementAndGet();
            }
            pause(20 + random.nextInt(100));
        }
        throw new AssertionError(method + " " + path + " was not answered for " + GIVE_UP + "; at last: " + last);
    }

    /** An attempt that was given up here may still be under way there. */
    private static boolean isInFlight(Api.Reply reply) {
        return reply.json().path("in_flight").asBoolean();
    }

    void pause(int millis) {
        try {
            TimeUnit.MILLISECONDS.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
