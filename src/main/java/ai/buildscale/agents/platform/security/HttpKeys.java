package ai.buildscale.agents.platform.security;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.ProxyOptions;
import io.vertx.core.tracing.TracingPolicy;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.MalformedURLException;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * Reads keys from an address of {@code http} or {@code https}, with the certificates that the JVM trusts and through
 * its proxy. Follows a few redirects, never from {@code https} to {@code http}.
 */
final class HttpKeys implements KeySource {
    private static final int CONNECT_MILLIS = 2_000;
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final int REDIRECTS = 3;

    /** @param body complete, and not too long */
    private record Answer(int status, String location, Buffer body) {
        boolean redirects() {
            return switch (status) {
                case 301, 302, 303, 307, 308 -> location != null;
                default -> false;
            };
        }
    }

    private final HttpClient http;
    private final URI address;
    private final Duration patience;

    HttpKeys(Vertx vertx, URI address) {
        this(vertx, address, PATIENCE);
    }

    /** @param patience how long all of it may take, from the first connection to the last byte */
    HttpKeys(Vertx vertx, URI address, Duration patience) {
        // who happens to be the one for whom the keys are fetched has no part in it
        this.http = vertx.createHttpClient(
                new HttpClientOptions().setKeepAlive(false).setTracingPolicy(TracingPolicy.IGNORE));
        this.address = address;
        this.patience = patience;
    }

    @Override
    public Uni<String> read() {
        return from(address, REDIRECTS)
                .ifNoItem()
                .after(patience)
                .failWith(() -> new IOException("the address has not answered within " + patience.toMillis() + " ms"));
    }

    private Uni<String> from(URI at, int redirects) {
        return fetch(at).chain(answer -> {
            if (answer.status() == 200) {
                return Uni.createFrom().item(answer.body().toString(StandardCharsets.UTF_8));
            }
            URI next = answer.redirects() && redirects > 0 ? target(at, answer.location()) : null;
            return next == null
                    ? Uni.createFrom().failure(new IOException("the address answers " + answer.status()))
                    : from(next, redirects - 1);
        });
    }

    /** Null if keys must not come from there. */
    private static URI target(URI from, String location) {
        try {
            URI to = from.resolve(location);
            boolean secure = "https".equalsIgnoreCase(to.getScheme());
            return secure || from.getScheme().equalsIgnoreCase(to.getScheme()) ? to : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private Uni<Answer> fetch(URI at) {
        return Uni.createFrom()
                .emitter(emitter -> http.request(options(at))
                        .onFailure(emitter::fail)
                        .onSuccess(request -> {
                            emitter.onTermination(request::reset);
                            request.send().onFailure(emitter::fail).onSuccess(answer -> receive(answer, emitter));
                        }));
    }

    private static RequestOptions options(URI at) {
        try {
            // unlike a URI it knows of hosts with an underscore
            URL url = at.toURL();
            return new RequestOptions()
                    .setSsl(url.getProtocol().equals("https"))
                    .setHost(url.getHost())
                    .setPort(url.getPort() < 0 ? url.getDefaultPort() : url.getPort())
                    .setURI(url.getFile().startsWith("/") ? url.getFile() : "/" + url.getFile())
                    .setConnectTimeout(CONNECT_MILLIS)
                    .setProxyOptions(proxy(at))
                    .putHeader("Accept", "application/jwk-set+json, application/json, */*;q=0.5");
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static ProxyOptions proxy(URI at) {
        for (Proxy proxy : ProxySelector.getDefault().select(at)) {
            if (proxy.type() == Proxy.Type.HTTP && proxy.address() instanceof InetSocketAddress where) {
                return new ProxyOptions().setHost(where.getHostString()).setPort(where.getPort());
            }
        }
        return null;
    }

    private static void receive(HttpClientResponse response, UniEmitter<? super Answer> emitter) {
        Buffer body = Buffer.buffer();
        response.exceptionHandler(emitter::fail);
        response.endHandler(
                _ -> emitter.complete(new Answer(response.statusCode(), response.getHeader("Location"), body)));
        response.handler(chunk -> {
            if (body.length() + chunk.length() > LONGEST) {
                emitter.fail(new IOException("the answer has more than " + LONGEST + " bytes"));
            } else {
                body.appendBuffer(chunk);
            }
        });
    }
}
