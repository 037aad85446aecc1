package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Permission;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** Takes the heartbeats of agents that are hosted elsewhere: one, or many in one statement. */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Heartbeats {
    private final SessionRepository sessions;
    private final Notifier notifier;
    private final SessionConfig config;
    private final Counter beats;

    Heartbeats(SessionRepository sessions, Notifier notifier, SessionConfig config, MeterRegistry metrics) {
        this.sessions = sessions;
        this.notifier = notifier;
        this.config = config;
        this.beats = metrics.counter("sessions.heartbeats");
    }

    /**
     * The answer to an agent's beat.
     *
     * @param leaseExtended false once the session has ended
     * @param ttlSeconds the silence it may now keep before it is stale
     * @param desiredStatus the state that the caller wants; the agent obeys
     */
    @Schema(name = "SessionLease")
    @RegisterForReflection
    public record SessionLease(
            boolean leaseExtended,
            long ttlSeconds,
            @Schema(implementation = SessionStatus.class) String desiredStatus,
            long epoch) {}

    /**
     * Keeps a session alive, with a note of what it does.
     *
     * @throws Problem {@code FENCED} once the session has another epoch; {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    Uni<SessionLease> beat(Db db, Caller caller, UUID id, long epoch, SessionChange note) {
        if (!note.isEmpty()) {
            return sessions.change(db, id, beatsFor(caller), null, note, epoch)
                    .invoke(outcome -> {
                        if (outcome != null && outcome.applied()) {
                            db.afterCommit(notifier::appended);
                        }
                    })
                    .map(outcome -> outcome == null
                            ? lease(new SessionRepository.BeatRow(id, epoch, null, null, null, false))
                            : lease(new SessionRepository.BeatRow(
                                    id,
                                    epoch,
                                    outcome.permission(),
                                    outcome.session().status(),
                                    outcome.oldEpoch(),
                                    !outcome.session().terminal())));
        }
        return sessions.beat(db, new UUID[] {id}, new Long[] {epoch}, beatsFor(caller))
                .map(answers -> lease(answers.getFirst()));
    }

    private SessionLease lease(SessionRepository.BeatRow beat) {
        Problem refusal = refusal(beat);
        if (refusal != null) {
            throw refusal;
        }
        beats.increment();
        return new SessionLease(beat.live(), config.staleThreshold().toSeconds(), beat.status(), beat.epoch());
    }

    /** A beat's own answer in a batch: a lease, or the code of what stands in its way. */
    @RegisterForReflection
    public record BeatAnswer(
            UUID id,
            boolean leaseExtended,
            long ttlSeconds,

            @Schema(implementation = SessionStatus.class, nullable = true)
            String desiredStatus,

            @Schema(nullable = true) Long epoch,
            @Schema(nullable = true) ProblemType code) {}

    /** The same for many sessions in one statement; a beat that is refused does not stop the others. */
    Uni<List<BeatAnswer>> beat(Db db, Caller caller, UUID[] ids, Long[] epochs) {
        long ttlSeconds = config.staleThreshold().toSeconds();
        return sessions.beat(db, ids, epochs, beatsFor(caller)).map(answers -> {
            List<BeatAnswer> all = new ArrayList<>(answers.size());
            for (SessionRepository.BeatRow beat : answers) {
                Problem refusal = refusal(beat);
                if (refusal == null) {
                    all.add(new BeatAnswer(beat.id(), beat.live(), ttlSeconds, beat.status(), beat.epoch(), null));
                } else {
                    Long epoch = refusal.type() == ProblemType.FENCED ? beat.epoch() : null;
                    all.add(new BeatAnswer(beat.id(), false, 0, null, epoch, refusal.type()));
                }
            }
            beats.increment((double)
                    all.stream().filter(answer -> answer.code() == null).count());
            return all;
        });
    }

    private static Problem refusal(SessionRepository.BeatRow beat) {
        if (beat.status() == null) {
            return Problem.notFound("The session");
        }
        if (beat.permission() != Permission.CONTROL) {
            return Problem.forbidden(
                    "Only the session's owner, with the role member, or an agent host may beat for it");
        }
        return beat.given() == beat.epoch()
                ? null
                : new Problem(ProblemType.FENCED, "Another owner holds the session, with epoch " + beat.epoch())
                        .with("epoch", beat.epoch());
    }

    /** Agent hosts are trusted with the beats of all sessions, by their group: they run agents for anybody. */
    private static UUID beatsFor(Caller caller) {
        return caller.isAgentHost() ? null : Access.limitedTo(caller);
    }

    /**
     * Judges the repeat of beats.
     *
     * @param ids the sessions that the caller was told of the first time
     * @throws Problem {@code FORBIDDEN} if the caller may not see one of them any more
     */
    Uni<Void> requireBeatsFor(Db db, Caller caller, UUID... ids) {
        return sessions.anyForeign(db, ids, beatsFor(caller))
                .invoke(foreign -> {
                    if (foreign) {
                        throw Problem.forbidden("A session of this request is not yours any more");
                    }
                })
                .replaceWithVoid();
    }
}
