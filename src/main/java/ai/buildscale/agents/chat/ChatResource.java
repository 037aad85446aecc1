package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionCommandResource;
import ai.buildscale.agents.session.SessionView;
import ai.buildscale.agents.turn.BusyPolicy;
import ai.buildscale.agents.turn.Inbox.StopResult;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Role;
import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Chats over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Chats")
public class ChatResource {
    private static final int USUAL_WAIT = 2;
    private static final int USUAL_MESSAGES = 100;
    private static final int MAX_MESSAGES = 500;
    private static final int MAX_ANSWER = 65_536;

    private final ChatService service;
    private final Idempotency idempotency;

    ChatResource(ChatService service, Idempotency idempotency) {
        this.service = service;
        this.idempotency = idempotency;
    }

    @RegisterForReflection
    @Schema(name = "ChatCreated")
    public record NewlyMade(UUID chatId, UUID sessionId) {}

    @Schema(name = "ChatList")
    public record Chats(
            List<ChatView> chats, @Schema(nullable = true) String nextCursor) {}

    /**
     * @param session the one that lives in the chat, or did last
     * @param messages oldest first
     * @param nextBefore where the older ones begin, or null if these are all
     */
    @Schema(name = "ChatDetail")
    public record WholeChat(
            ChatView chat,
            @Schema(nullable = true) SessionView session,
            List<MessageView> messages,
            @Schema(nullable = true) Long nextBefore) {}

    @RegisterForReflection
    @Schema(name = "ChatAnswer")
    public record OneChat(ChatView chat) {}

    /** @param onBusy what it does if the agent is busy; as the chat says where it is not given */
    public record NewMessage(
            @NotNull @NotBlank @Size(max = 65_536) @Schema(examples = "What is left to do?")
            String content,

            BusyPolicy onBusy) {}

    @RegisterForReflection
    @Schema(name = "MessageAccepted")
    public record Accepted(@Schema(enumeration = "accepted") String status, UUID messageId) {}

    @RegisterForReflection
    @Schema(name = "ChatStopped")
    public record Cancelled(
            @Schema(enumeration = "cancelled") String status, UUID chatId) {}

    /** @param questionId the one that is open where it is not given */
    public record NewAnswer(
            UUID questionId,

            @NotNull
            @Schema(
                    implementation = Object.class,
                    required = true,
                    description = "JSON as the question's schema wants it")
            JsonNode answer) {}

    @RegisterForReflection
    public record AnswerAccepted(
            @Schema(enumeration = "accepted") String status, UUID questionId) {}

    @Schema(name = "AttentionList")
    public record Attention(List<AttentionView> items, int count) {}

    @Schema(name = "WorkspaceUsageAnswer")
    public record CurrentUsage(UsageView usage) {}

    @POST
    @Path("/workspaces/{workspaceId}/chats")
    @Operation(
            operationId = "createChat",
            summary = "Begin a chat: its agent's session is created, idle",
            description = "Say something to it with `sendMessage`, and follow it with `followChat`.")
    @APIResponse(
            responseCode = "201",
            description = "created",
            content = @Content(schema = @Schema(implementation = NewlyMade.class)))
    public Uni<Response> create(
            @Context SecurityContext security, @RestPath UUID workspaceId, @Valid @NotNull NewChat body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.create(db, caller, workspaceId, body)
                        .map(made -> StoredResponse.created(
                                "/api/v1/workspaces/" + workspaceId + "/chats/"
                                        + made.chat().id(),
                                new NewlyMade(made.chat().id(), made.session().id()))));
    }

    @GET
    @Path("/workspaces/{workspaceId}/chats")
    @Operation(
            operationId = "listChats",
            summary = "The workspace's chats, those last talked in first; a page at a time",
            description = "For members of any role.")
    public Uni<Chats> list(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @QueryParam("limit") Integer limit,
            @QueryParam("cursor") String cursor) {
        Page page = Page.of(limit, cursor);
        return service.list(Caller.of(security), workspaceId, page)
                .map(found -> new Chats(
                        found.stream().map(Chat::view).toList(),
                        found.size() < page.limit() ? null : Page.cursorAfter(found.getLast().lastMessageId)));
    }

    @GET
    @Path("/workspaces/{workspaceId}/chats/{chatId}")
    @Operation(
            operationId = "getChat",
            summary = "One chat: its configuration, its session, and the newest part of what was said",
            description = "Messages are oldest first; `before=next_before` goes on to older ones.")
    public Uni<WholeChat> get(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @QueryParam("limit") @Min(1) @Max(MAX_MESSAGES) @Parameter(description = "messages; 100 where not given")
                    Integer limit,
            @QueryParam("before") @Min(0) @Parameter(description = "older than this position") Long before) {
        int messages = limit == null ? USUAL_MESSAGES : limit;
        return service.get(Caller.of(security), workspaceId, chatId, before, messages)
                .map(whole -> new WholeChat(
                        whole.chat(),
                        whole.session(),
                        whole.messages(),
                        whole.messages().size() < messages
                                ? null
                                : whole.messages().getFirst().position()));
    }

    @PATCH
    @Path("/workspaces/{workspaceId}/chats/{chatId}")
    @Operation(
            operationId = "updateChat",
            summary = "Change a chat, and the session that lives in it",
            description = "A field that is not named stays as it is. A turn that runs keeps its model and mode.")
    public Uni<OneChat> change(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @Valid @NotNull ChatChange body) {
        if (body.isEmpty()) {
            throw Problem.invalid("body", "must name at least one field to change");
        }
        if (body.wronglyCleared() != null) {
            throw Problem.invalid(body.wronglyCleared(), "must not be null");
        }
        return service.change(Caller.of(security), workspaceId, chatId, body).map(OneChat::new);
    }

    @POST
    @Path("/workspaces/{workspaceId}/chats/{chatId}")
    @Operation(
            operationId = "sendMessage",
            summary = "Say something to the chat's agent",
            description =
                    "It is kept in the agent's mailbox; what comes of it is told on the chat's event stream. A chat"
                            + " whose session has ended gets a new one.")
    @APIResponse(
            responseCode = "202",
            description = "kept in the mailbox",
            content = @Content(schema = @Schema(implementation = Accepted.class)))
    public Uni<Response> post(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @Valid @NotNull NewMessage body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.post(db, caller, workspaceId, chatId, body.content(), body.onBusy())
                        .map(message -> accepted(new Accepted("accepted", message))));
    }

    private static StoredResponse accepted(Object body) {
        return new StoredResponse(202, Map.of(), body);
    }

    @POST
    @Path("/workspaces/{workspaceId}/chats/{chatId}/stop")
    @Operation(
            operationId = "stopChat",
            summary = "Stop what the agent is at, and keep the agent",
            description = "Its turn, or the one that its next message would begin. What was said by then is kept. The"
                    + " answer is held until the agent has stopped.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Cancelled.class)))
    public Uni<Response> stop(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @QueryParam("wait")
                    @Min(0)
                    @Max(SessionCommandResource.MAX_WAIT)
                    @Parameter(description = "seconds that the answer may be held; 2 where it is not given")
                    Integer wait) {
        Caller caller = Caller.of(security);
        Duration atMost = Duration.ofSeconds(wait == null ? USUAL_WAIT : wait);
        AtomicReference<StopResult> result = new AtomicReference<>();
        return idempotency.once(
                "",
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.stop(db, caller, workspaceId, chatId)
                        .invoke(result::set)
                        .replaceWith(StoredResponse.ok(new Cancelled("cancelled", chatId))),
                answer -> stopped(result.get(), atMost).replaceWith(answer));
    }

    private Uni<Void> stopped(StopResult stopped, Duration atMost) {
        return stopped == null || stopped.command() == null
                ? Uni.createFrom().voidItem()
                : service.stopped(stopped.session(), stopped.command(), atMost);
    }

    @POST
    @Path("/workspaces/{workspaceId}/chats/{chatId}/answers")
    @Operation(
            operationId = "answerQuestion",
            summary = "Answer the question that the agent waits for",
            description = "409 if the agent waits for no answer; 400 if the answer does not fit the question's schema.")
    @APIResponse(
            responseCode = "202",
            description = "kept in the mailbox",
            content = @Content(schema = @Schema(implementation = AnswerAccepted.class)))
    public Uni<Response> answer(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @Valid @NotNull NewAnswer body) {
        if (body.answer().isNull()) {
            throw Problem.invalid("answer", "must be given");
        }
        if (body.answer().toString().length() > MAX_ANSWER) {
            throw Problem.invalid("answer", "must have at most " + MAX_ANSWER + " characters as JSON");
        }
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.answer(db, caller, workspaceId, chatId, body.questionId(), body.answer())
                        .map(question -> accepted(new AnswerAccepted("accepted", question))));
    }

    @GET
    @Path("/workspaces/{workspaceId}/attention")
    @Operation(
            operationId = "listAttention",
            summary = "What waits for a person, oldest first: questions, paused and stalled sessions",
            description = "Questions that are open, sessions that are paused, and sessions that make no progress.")
    public Uni<Attention> attention(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @QueryParam("limit") @Min(1) @Max(MAX_MESSAGES) Integer limit) {
        return service.attention(Caller.of(security), workspaceId, limit == null ? USUAL_MESSAGES : limit)
                .map(items -> new Attention(items, items.size()));
    }

    @GET
    @Path("/workspaces/{workspaceId}/usage")
    @Operation(
            operationId = "getWorkspaceUsage",
            summary = "What the workspace's agents have used",
            description = "Turns, tokens and the time in which turns ran, since the workspace was made.")
    public Uni<CurrentUsage> usage(@Context SecurityContext security, @RestPath UUID workspaceId) {
        return service.usage(Caller.of(security), workspaceId).map(CurrentUsage::new);
    }
}
