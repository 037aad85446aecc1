package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;

/**
 * Carries out a POST once for each caller and {@code Idempotency-Key}: the change and its first answer are committed
 * together, and a repeat gets that answer. Two at once are told apart by an advisory lock, on any two servers.
 */
@ApplicationScoped
public class Idempotency {
    static final String KEY = "Idempotency-Key";

    /** The longest key, in characters. */
    public static final int MAX_KEY_LENGTH = 255;

    private static final String LOCK = """
            select pg_try_advisory_xact_lock(hashtextextended($1::text || ':' || $2::text, 0)) as locked""";

    private static final String FIND = """
            select fingerprint, status, headers::text, body from idempotency_keys where user_id = $1 and key = $2""";

    private static final String KEEP = """
            insert into idempotency_keys (user_id, key, fingerprint, status, headers, body)
            values ($1, $2, $3, $4, $5::text::jsonb, $6)
            on conflict do nothing""";

    private static final String AMEND = """
            update idempotency_keys set headers = $3::text::jsonb, body = $4 where user_id = $1 and key = $2""";

    private final Database database;
    private final ObjectMapper json;
    private final RoutingContext request;
    private final SecurityContext security;

    Idempotency(Database database, ObjectMapper json, RoutingContext request, SecurityContext security) {
        this.database = database;
        this.json = json;
        this.request = request;
        this.security = security;
    }

    /**
     * Judges a repeat: whether the caller, who has asked that before, may still see what was answered then. Fails with
     * {@code FORBIDDEN} if not; what does not exist any more is nobody's to hide.
     */
    public interface Review {
        /** For what is the caller's alone, whatever happens. */
        Review NONE = (_, _) -> Uni.createFrom().voidItem();

        /** @param kept its body is a {@link Kept} */
        Uni<?> of(Db db, StoredResponse kept);
    }

    /**
     * A request that has a key.
     *
     * @param fingerprint of the method, the path and the body: what must be the same in a repeat, on older servers too
     */
    private record KeyedRequest(Caller caller, String key, String path, Buffer fingerprint) {}

    /**
     * Runs the work of the request that is being served, in a transaction if the request has a key.
     *
     * @param body the request's body as it was read: part of what must be the same in a repeat
     */
    public Uni<Response> once(Object body, Review review, Function<Db, Uni<StoredResponse>> work) {
        return once(body, review, work, null);
    }

    /**
     * The same, for work whose answer may be held until more has come of it: that answer is the one that a repeat gets.
     *
     * @param hold what comes after the change is committed; not for a repeat
     */
    public Uni<Response> once(
            Object body,
            Review review,
            Function<Db, Uni<StoredResponse>> work,
            Function<StoredResponse, Uni<StoredResponse>> hold) {
        KeyedRequest keyed = keyed(body);
        Uni<StoredResponse> answer = keyed == null ? work.apply(database) : once(keyed, review, work);
        return (hold == null ? answer : answer.chain(first -> held(keyed, first, hold))).map(StoredResponse::response);
    }

    /** Null without a key; only a POST has one. */
    private KeyedRequest keyed(Object body) {
        HttpServerRequest http = request.request();
        String key = http.method().equals(HttpMethod.POST) ? http.getHeader(KEY) : null;
        if (key == null) {
            return null;
        }
        if (key.isBlank() || key.length() > MAX_KEY_LENGTH || !key.chars().allMatch(c -> c > 0x1f && c < 0x7f)) {
            throw unusableKey();
        }
        String path = path();
        return new KeyedRequest(Caller.of(security), key, path, fingerprint(http.method() + " " + path, body));
    }

    /** In one form for all ways to write the same: what varies in a path are UUIDs, in either case. */
    private String path() {
        String path = request.normalizedPath().toLowerCase(Locale.ROOT);
        return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    private Uni<StoredResponse> once(KeyedRequest keyed, Review review, Function<Db, Uni<StoredResponse>> work) {
        return database.inTransaction(db -> first(db, keyed, review, work))
                .onFailure(Problem.class)
                .recoverWithUni(problem -> remembered(problem, keyed));
    }

    private Uni<StoredResponse> held(
            KeyedRequest keyed, StoredResponse first, Function<StoredResponse, Uni<StoredResponse>> hold) {
        return first.body() instanceof Kept
                ? Uni.createFrom().item(first)
                : hold.apply(first).call(held -> amend(keyed, first, held));
    }

    private Uni<?> amend(KeyedRequest keyed, StoredResponse first, StoredResponse held) {
        return keyed == null || held.equals(first)
                ? Uni.createFrom().voidItem()
                : database.rows(AMEND, keyed.caller().userId(), keyed.key(), write(held.headers()), write(held.body()));
    }

    static Problem unusableKey() {
        return Problem.invalid(KEY, "must have 1 to " + MAX_KEY_LENGTH + " printable ASCII characters");
    }

    private Uni<StoredResponse> first(
            Db db, KeyedRequest keyed, Review review, Function<Db, Uni<StoredResponse>> work) {
        UUID user = keyed.caller().userId();
        return db.row(LOCK, user.toString(), keyed.key())
                .chain(lock -> lock.getBoolean("locked")
                        ? db.row(FIND, user, keyed.key())
                        : Uni.createFrom().failure(new InFlight()))
                .chain(kept -> kept != null
                        ? reviewed(db, replay(kept, keyed.fingerprint()), review)
                        : work.apply(db).call(answer -> keep(db, keyed, answer)))
                .onFailure(InFlight.class)
                .transform(_ -> new Problem(ProblemType.CONFLICT, "A request with this Idempotency-Key is in flight")
                        .with("in_flight", true)
                        .retryAfter(1));
    }

    private static Uni<StoredResponse> reviewed(Db db, StoredResponse kept, Review review) {
        return review.of(db, kept)
                .onFailure(e -> e instanceof Problem problem && problem.type() == ProblemType.NOT_FOUND)
                .recoverWithNull()
                .replaceWith(kept);
    }

    /** A refusal that depends on the state is an answer too: it is given again, although nothing was changed. */
    private Uni<StoredResponse> remembered(Problem problem, KeyedRequest keyed) {
        boolean depends = problem.type() == ProblemType.CONFLICT || problem.type() == ProblemType.STALE_VERSION;
        if (!depends || problem.retryAfterSeconds().isPresent()) {
            return Uni.createFrom().failure(problem);
        }
        StoredResponse answer = new StoredResponse(problem.type().status(), Map.of(), problem.document(keyed.path()));
        return keep(database, keyed, answer).chain(() -> Uni.createFrom().failure(problem));
    }

    private Uni<?> keep(Db db, KeyedRequest keyed, StoredResponse answer) {
        return db.rows(
                KEEP,
                keyed.caller().userId(),
                keyed.key(),
                keyed.fingerprint(),
                (short) answer.status(),
                write(answer.headers()),
                write(answer.body()));
    }

    private StoredResponse replay(Row kept, Buffer fingerprint) {
        if (!Arrays.equals(kept.getBuffer("fingerprint").getBytes(), fingerprint.getBytes())) {
            throw new Problem(
                    ProblemType.IDEMPOTENCY_MISMATCH,
                    "This Idempotency-Key was used before, with another path or body");
        }
        return new StoredResponse(
                kept.getShort("status"), readHeaders(kept.getString("headers")), new Kept(kept.getString("body")));
    }

    private Buffer fingerprint(String target, Object body) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(target.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
            return Buffer.buffer(digest.digest(write(body).getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private String write(Object value) {
        try {
            return json.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private Map<String, String> readHeaders(String text) {
        try {
            return json.readValue(text, new TypeReference<>() {});
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static final class InFlight extends RuntimeException {
        InFlight() {
            super("in flight", null, false, false);
        }
    }

    /** The body of an answer that was given before: JSON that is written as it is. */
    @RegisterForReflection
    public record Kept(@JsonValue @JsonRawValue String json) {}
}
