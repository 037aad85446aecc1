package ai.buildscale.agents.bench;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;

/** Sends one request an event, as fast as answers come or at a steady rate. */
final class Publisher implements AutoCloseable {
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final LongFunction<HttpRequest> requests;
    private final AtomicLong number = new AtomicLong();

    /** @param requests makes the request of the event with this number */
    Publisher(LongFunction<HttpRequest> requests) {
        this.requests = requests;
    }

    /** A request with a JSON body. */
    static HttpRequest request(String method, String url, String token, String body) {
        return HttpRequest.newBuilder(URI.create(url))
                .header("Content-Type", "application/json")
                .header("Authorization", "Bearer " + token)
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .build();
    }

    /** Keeps so many requests in flight for so long; returns how many were answered with a 2xx. */
    long flood(int inFlight, int seconds) throws InterruptedException {
        Semaphore places = new Semaphore(inFlight);
        AtomicLong answered = new AtomicLong();
        AtomicInteger failed = new AtomicInteger();
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < end) {
            places.acquire();
            send(answered, failed).whenComplete((_, _) -> places.release());
        }
        places.acquire(inFlight);
        check(failed);
        return answered.get();
    }

    /** Sends so many a second, evenly. */
    long pace(int perSecond, int seconds) throws InterruptedException {
        AtomicLong answered = new AtomicLong();
        AtomicInteger failed = new AtomicInteger();
        long begin = System.nanoTime();
        for (int i = 0; i < perSecond * seconds; i++) {
            long wait = begin + i * 1_000_000_000L / perSecond - System.nanoTime();
            if (wait > 0) {
                Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
            }
            send(answered, failed);
        }
        Thread.sleep(500);
        check(failed);
        return answered.get();
    }

    private java.util.concurrent.CompletableFuture<?> send(AtomicLong answered, AtomicInteger failed) {
        return http.sendAsync(requests.apply(number.incrementAndGet()), HttpResponse.BodyHandlers.discarding())
                .handle((response, failure) -> {
                    if (failure == null && response.statusCode() / 100 == 2) {
                        answered.incrementAndGet();
                    } else {
                        failed.incrementAndGet();
                    }
                    return null;
                });
    }

    private static void check(AtomicInteger failed) {
        if (failed.get() > 0) {
            throw new IllegalStateException(failed.get() + " requests failed");
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
