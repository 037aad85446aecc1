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
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;

/**
 * Carries out a POST once for each caller and {@code Idempotency-Key}: the change and its first answer are committed
 * together, and a repeat gets that answer. Two at once are told apart by an advisory lock, on any two servers.
 */
@ApplicationScoped
public class Idempotency {
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

    Idempotency(Database database, ObjectMapper json) {
        this.database = database;
        this.json = json;
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
     * Runs the work, in a transaction if there is a key.
     *
     * @param key the {@code Idempotency-Key} header, or null
     * @param target method and path, part of what must be the same the next time
     * @param body the request's body as it was read, likewise
     */
    public Uni<StoredResponse> once(
            Caller caller,
            String key,
            String target,
            Object body,
            Review review,
            Function<Db, Uni<StoredResponse>> work) {
        if (key == null) {
            return work.apply(database);
        }
        if (key.isBlank() || key.length() > MAX_KEY_LENGTH || !key.chars().allMatch(c -> c > 0x1f && c < 0x7f)) {
            throw unusableKey();
        }
        byte[] fingerprint = fingerprint(target, body);
        return database.inTransaction(db -> first(db, caller, key, fingerprint, review, work))
                .onFailure(Problem.class)
                .recoverWithUni(problem -> remembered(problem, caller, key, fingerprint, target));
    }

    /**
     * The same, for work whose answer may be held until more has come of it: that answer is the one that a repeat gets.
     *
     * @param hold what comes after the change is committed; not for a repeat
     */
    public Uni<StoredResponse> once(
            Caller caller,
            String key,
            String target,
            Object body,
            Review review,
            Function<Db, Uni<StoredResponse>> work,
            Function<StoredResponse, Uni<StoredResponse>> hold) {
        return once(caller, key, target, body, review, work)
                .chain(first -> first.body() instanceof Kept
                        ? Uni.createFrom().item(first)
                        : hold.apply(first)
                                .call(held -> key == null || held.equals(first)
                                        ? Uni.createFrom().voidItem()
                                        : database.rows(
                                                AMEND,
                                                caller.userId(),
                                                key,
                                                write(held.headers()),
                                                write(held.body()))));
    }

    static Problem unusableKey() {
        return Problem.invalid("Idempotency-Key", "must have 1 to " + MAX_KEY_LENGTH + " printable ASCII characters");
    }

    private Uni<StoredResponse> first(
            Db db,
            Caller caller,
            String key,
            byte[] fingerprint,
            Review review,
            Function<Db, Uni<StoredResponse>> work) {
        return db.row(LOCK, caller.userId().toString(), key)
                .chain(lock -> lock.getBoolean("locked")
                        ? db.row(FIND, caller.userId(), key)
                        : Uni.createFrom().failure(new InFlight()))
                .chain(kept -> kept != null
                        ? reviewed(db, replay(kept, fingerprint), review)
                        : work.apply(db).call(answer -> keep(db, caller, key, fingerprint, answer)))
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
    private Uni<StoredResponse> remembered(
            Problem problem, Caller caller, String key, byte[] fingerprint, String target) {
        boolean depends = problem.type() == ProblemType.CONFLICT || problem.type() == ProblemType.STALE_VERSION;
        if (!depends || problem.retryAfterSeconds().isPresent()) {
            return Uni.createFrom().failure(problem);
        }
        String path = target.substring(target.indexOf(' ') + 1);
        StoredResponse answer = new StoredResponse(problem.type().status(), Map.of(), problem.document(path));
        return keep(database, caller, key, fingerprint, answer)
                .chain(() -> Uni.createFrom().failure(problem));
    }

    private Uni<?> keep(Db db, Caller caller, String key, byte[] fingerprint, StoredResponse answer) {
        return db.rows(
                KEEP,
                caller.userId(),
                key,
                Buffer.buffer(fingerprint),
                (short) answer.status(),
                write(answer.headers()),
                write(answer.body()));
    }

    private StoredResponse replay(Row kept, byte[] fingerprint) {
        if (!Arrays.equals(kept.getBuffer("fingerprint").getBytes(), fingerprint)) {
            throw new Problem(
                    ProblemType.IDEMPOTENCY_MISMATCH,
                    "This Idempotency-Key was used before, with another path or body");
        }
        return new StoredResponse(
                kept.getShort("status"), readHeaders(kept.getString("headers")), new Kept(kept.getString("body")));
    }

    private byte[] fingerprint(String target, Object body) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(target.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
            return digest.digest(write(body).getBytes(StandardCharsets.UTF_8));
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
