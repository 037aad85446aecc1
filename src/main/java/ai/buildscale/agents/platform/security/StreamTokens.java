package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.postgres.Database;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Set;

/**
 * Issues and finds stream tokens, which stand in a URL: each is good for one user and one path, on any server. Only their
 * hashes are kept. A token that opens its stream in time opens it again for as long as the caller's own token is valid.
 *
 * <p>The caller's own token is verified when the stream token is issued, and not again: opening a stream costs one
 * statement, and none of the 60 to 420 µs that {@link Authentication} takes to verify a signature.
 */
@ApplicationScoped
public class StreamTokens {
    public static final String PARAMETER = "stream_token";
    public static final int SECONDS = 60;

    private static final String ISSUE = """
            insert into stream_tokens (token_hash, user_id, groups, caller_expires_at, path, expires_at)
            values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')""";

    private static final String FIND = """
            with opened as (
                update stream_tokens set expires_at = caller_expires_at
                where token_hash = $1 and path = $2 and expires_at > now() and expires_at < caller_expires_at)
            select user_id, groups, caller_expires_at from stream_tokens
            where token_hash = $1 and path = $2 and expires_at > now() and caller_expires_at > now()""";

    private final Database database;

    StreamTokens(Database database) {
        this.database = database;
    }

    /** A token for this caller and path (without query), which opens its first stream within {@link #SECONDS}. */
    public Uni<String> issue(Caller caller, String path) {
        String token = Ids.secret();
        return database.rows(
                        ISSUE,
                        hash(token),
                        caller.userId(),
                        caller.groups().toArray(String[]::new),
                        caller.expiresAt().atOffset(ZoneOffset.UTC),
                        path,
                        SECONDS)
                .replaceWith(token);
    }

    /** Whether a path may be a stream's: no other is worth a look into the database. */
    static boolean mayOpen(String path) {
        return path.startsWith("/api/") && path.endsWith("/events");
    }

    /** Who the token stands for, with the expiry of the token it was issued on; null if it is not good here. */
    Uni<Caller> find(String token, String path) {
        return database.row(FIND, hash(token), path)
                .map(row -> row == null
                        ? null
                        : new Caller(
                                row.getUUID("user_id"),
                                Set.of(row.getArrayOfStrings("groups")),
                                row.get(OffsetDateTime.class, "caller_expires_at")
                                        .toInstant()));
    }

    private static Buffer hash(String token) {
        try {
            return Buffer.buffer(MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
