package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionCommandResource.Commanded;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.ws.rs.core.Response;
import java.time.Duration;
import java.util.UUID;

/** Answers the commands of callers, each once for a key. */
@ApplicationScoped
class CommandAnswers {
    private final SessionService sessions;
    private final SessionCommands commands;
    private final Idempotency idempotency;

    CommandAnswers(SessionService sessions, SessionCommands commands, Idempotency idempotency) {
        this.sessions = sessions;
        this.commands = commands;
        this.idempotency = idempotency;
    }

    /** Carries out a command and answers; may hold the answer until the owner of a hosted session has carried it out. */
    Uni<Response> command(Caller caller, UUID id, Object body, Transition transition, Duration wait) {
        SessionCommand command = transition.command();
        return idempotency.once(
                body,
                (db, _) -> sessions.get(db, caller, id),
                db -> commands.command(db, caller, id, transition)
                        .map(given ->
                                answer(given, command.message(given.session().status()))),
                answer -> settled(caller, (Commanded) answer.body(), wait));
    }

    private Uni<StoredResponse> settled(Caller caller, Commanded given, Duration wait) {
        return commands.settled(caller, new CommandOutcome(given.session(), given.command()), wait)
                .map(settled -> answer(settled, given.message()));
    }

    private static StoredResponse answer(CommandOutcome given, String message) {
        return StoredResponse.ok(new Commanded(given.session(), message, given.command()))
                .tagged(given.session().etag());
    }
}
