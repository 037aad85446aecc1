package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.ChatRepository.AskedQuestion;
import ai.buildscale.agents.engine.Engines;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Entities;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Budget;
import ai.buildscale.agents.session.Hosting;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.session.NewSession;
import ai.buildscale.agents.session.SessionCommands;
import ai.buildscale.agents.session.SessionService;
import ai.buildscale.agents.session.SessionView;
import ai.buildscale.agents.turn.BusyPolicy;
import ai.buildscale.agents.turn.Inbox;
import ai.buildscale.agents.turn.Inbox.Admission;
import ai.buildscale.agents.turn.Inbox.AnswerResult;
import ai.buildscale.agents.turn.Inbox.ChatAgent;
import ai.buildscale.agents.turn.Inbox.PostResult;
import ai.buildscale.agents.turn.Inbox.StopResult;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Role;
import com.fasterxml.jackson.databind.JsonNode;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The use cases of people in chats: create, post, stop, answer, read. Whatever reaches a chat's agent is written down
 * under its session's lock; the agent's server is woken and finds it there.
 */
@ApplicationScoped
class ChatService {
    private static final List<String> TALKERS = Stream.of(Role.values())
            .filter(role -> role.includes(Role.MEMBER))
            .map(Role::toString)
            .toList();

    private final Database database;
    private final Entities entities;
    private final ChatRepository chats;
    private final MessageRepository messages;
    private final SpendingRepository spending;
    private final SessionService sessions;
    private final SessionCommands commands;
    private final Engines engines;
    private final AnswerValidator answers;
    private final Access access;
    private final Notifier notifier;
    private final Inbox inbox;
    private final ChatConfig config;

    ChatService(
            Database database,
            Entities entities,
            ChatRepository chats,
            MessageRepository messages,
            SpendingRepository spending,
            SessionService sessions,
            SessionCommands commands,
            Engines engines,
            AnswerValidator answers,
            Access access,
            Notifier notifier,
            Inbox inbox,
            ChatConfig config) {
        this.database = database;
        this.entities = entities;
        this.chats = chats;
        this.messages = messages;
        this.spending = spending;
        this.sessions = sessions;
        this.commands = commands;
        this.engines = engines;
        this.answers = answers;
        this.access = access;
        this.notifier = notifier;
        this.inbox = inbox;
        this.config = config;
    }

    /** A chat and its session. */
    record Created(ChatView chat, SessionView session) {}

    /**
     * Begins a chat, with an idle session of the caller.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}, {@code QUOTA_EXCEEDED}; {@code VALIDATION_ERROR} if no engine
     *     serves the model
     */
    Uni<Created> create(Db db, Caller caller, UUID workspace, NewChat asked) {
        AgentType type = asked.agentType() == null ? AgentType.ASSISTANT : asked.agentType();
        ChatView wanted = new ChatView(
                Ids.next(),
                workspace,
                caller.userId(),
                asked.name(),
                asked.goal(),
                type.toString(),
                asked.model() == null ? config.defaultModel() : asked.model(),
                (asked.mode() == null ? type.defaultMode() : asked.mode()).toString(),
                (asked.hosting() == null ? Hosting.SERVER : asked.hosting()).toString(),
                (asked.onBusy() == null ? BusyPolicy.ENQUEUE : asked.onBusy()).toString(),
                null,
                null);
        requireEngine(wanted);
        NewSession session = session(wanted, asked.labels(), asked.requires(), asked.budget());
        return db.atomically(transaction -> sessions.create(transaction, caller, workspace, session, wanted.name())
                .chain(live -> chats.create(transaction, wanted).map(chat -> new Created(chat, live))));
    }

    /** What thinks for an agent elsewhere is not known here. */
    private void requireEngine(ChatView chat) {
        if (WireEnum.is(Hosting.SERVER, chat.hosting())) {
            engines.require(chat.model());
        }
    }

    private static NewSession session(
            ChatView chat, Map<String, String> labels, Map<String, String> requires, Budget budget) {
        AgentType type = WireEnum.known(AgentType.class, chat.agentType());
        Mode mode = WireEnum.known(Mode.class, chat.mode());
        Hosting hosting = WireEnum.known(Hosting.class, chat.hosting());
        if (type == null || mode == null || hosting == null) {
            throw new Problem(
                            ProblemType.UNAVAILABLE,
                            "This server does not know such chats yet (" + chat.agentType() + ", " + chat.mode() + ", "
                                    + chat.hosting() + "); a newer one does")
                    .retryAfter(2);
        }
        return new NewSession(type, chat.model(), mode, chat.id(), null, hosting, labels, requires, budget);
    }

    /**
     * A page of the workspace's chats, those last talked in first.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} unless the caller is a member
     */
    Uni<List<Chat>> list(Caller caller, UUID workspace, Page page) {
        return access.require(caller, workspace, Role.VIEWER)
                .chain(() -> entities.read(() -> chats.list(workspace, page)));
    }

    /** A chat with the newest part of its history, oldest first, and the session that lives in it or did last. */
    record Whole(ChatView chat, SessionView session, List<MessageView> messages) {}

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} unless the caller is a member */
    Uni<Whole> get(Caller caller, UUID workspace, UUID chat, Long before, int limit) {
        Uni<List<MessageView>> history = entities.read(() -> messages.history(chat, before, limit))
                .map(found -> found.reversed().stream().map(ChatMessage::view).toList());
        return find(caller, workspace, chat)
                .chain(found -> Uni.combine()
                        .all()
                        .unis(sessions.findOfChat(database, workspace, chat), history)
                        .with((session, entries) -> new Whole(found.view(), session, entries)));
    }

    private Uni<Chat> find(Caller caller, UUID workspace, UUID chat) {
        return access.require(caller, workspace, Role.VIEWER)
                .chain(() -> entities.read(() -> chats.find(workspace, chat)))
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The chat"));
    }

    /**
     * Gives the chat's agent a message; emits its id. A chat whose session has ended gets a new one, the caller's.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}, {@code QUOTA_EXCEEDED}, {@code MAILBOX_FULL}; {@code CONFLICT} if the agent is busy and
     *     the policy is to refuse
     */
    Uni<UUID> post(Db db, Caller caller, UUID workspace, UUID chat, String content, BusyPolicy policy) {
        UUID message = Ids.next();
        return post(db, caller, workspace, chat, message, content, policy)
                .chain(posted -> posted.live()
                        ? Uni.createFrom().item(posted)
                        : revive(db, caller, workspace, chat, message, content, policy))
                .invoke(posted -> {
                    if (!posted.accepted()) {
                        throw new Problem(ProblemType.CONFLICT, "The chat's session has just ended").retryAfter(1);
                    }
                })
                .replaceWith(message);
    }

    private Uni<PostResult> post(
            Db db, Caller caller, UUID workspace, UUID chat, UUID message, String content, BusyPolicy policy) {
        return inbox.post(db, agent(caller, workspace, chat), message, content, policy)
                .invoke(posted -> judge(caller, posted == null ? null : posted.admission()));
    }

    private static ChatAgent agent(Caller caller, UUID workspace, UUID chat) {
        return new ChatAgent(workspace, chat, caller.userId(), roles(caller));
    }

    /** One at a time: who comes second finds the session that the first has made. */
    private Uni<PostResult> revive(
            Db db, Caller caller, UUID workspace, UUID chat, UUID message, String content, BusyPolicy policy) {
        return db.atomically(transaction -> chats.lock(transaction, chat)
                .chain(() -> post(transaction, caller, workspace, chat, message, content, policy))
                .chain(posted -> posted.live()
                        ? Uni.createFrom().item(posted)
                        : renew(transaction, caller, workspace, chat)
                                .chain(() -> post(transaction, caller, workspace, chat, message, content, policy))));
    }

    private Uni<SessionView> renew(Db transaction, Caller caller, UUID workspace, UUID chat) {
        return chats.find(transaction, workspace, chat)
                .chain(found -> sessions.find(transaction, found.session())
                        .chain(last -> sessions.create(
                                transaction,
                                caller,
                                workspace,
                                again(found.chat(), last),
                                found.chat().name())));
    }

    /** What the chat's last session was allowed and bound to, the next one is too. */
    private static NewSession again(ChatView chat, SessionView last) {
        return session(
                chat,
                last == null ? null : labels(last.labels()),
                last == null || WireEnum.is(Hosting.EXTERNAL, chat.hosting()) ? null : labels(last.requires()),
                last == null ? null : last.budget());
    }

    private static Map<String, String> labels(String json) {
        return new JsonObject(json)
                .stream()
                        .collect(Collectors.toMap(
                                Map.Entry::getKey, entry -> entry.getValue().toString()));
    }

    private static List<String> roles(Caller caller) {
        return caller.isAdmin() ? null : TALKERS;
    }

    private static void judge(Caller caller, Admission admission) {
        Access.judge(caller, admission != null, admission == null ? null : admission.role(), Role.MEMBER);
        if (!admission.found()) {
            throw Problem.notFound("The chat");
        }
    }

    /**
     * Stops what the chat's agent is at, its turn or the one that its next message would begin, and keeps the agent. Emits
     * the command that its owner was given; null if there was nothing to stop, or it is stopped already.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}
     */
    Uni<StopResult> stop(Db db, Caller caller, UUID workspace, UUID chat) {
        return inbox.stop(db, agent(caller, workspace, chat))
                .invoke(stopped -> judge(caller, stopped == null ? null : stopped.admission()));
    }

    /** Completes when the agent has really stopped, or that time is over. */
    Uni<Void> stopped(UUID session, UUID command, Duration atMost) {
        return commands.applied(session, command, atMost).replaceWithVoid();
    }

    /**
     * Answers the question that the chat's agent waits for; emits the question's id. The same answer again is a success.
     *
     * @param question which one; null for the one that is open
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code CONFLICT} if it is not open; {@code VALIDATION_ERROR} if
     *     the answer is not as the question's schema wants it
     */
    Uni<UUID> answer(Db db, Caller caller, UUID workspace, UUID chat, UUID question, JsonNode answer) {
        return Access.require(db, caller, workspace, Role.MEMBER)
                .chain(() -> chats.find(db, workspace, chat))
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The chat"))
                .chain(() -> chats.question(db, chat, question))
                .chain(asked -> answer(db, caller, workspace, chat, question, asked, answer));
    }

    private Uni<UUID> answer(
            Db db, Caller caller, UUID workspace, UUID chat, UUID named, AskedQuestion asked, JsonNode answer) {
        if (asked == null) {
            throw named == null ? noQuestion() : Problem.notFound("The question");
        }
        if (asked.answer() != null && answers.same(asked.answer(), answer)) {
            return Uni.createFrom().item(asked.id());
        }
        if (!asked.isOpen()) {
            throw new Problem(ProblemType.CONFLICT, "The question is " + asked.state())
                    .with("question_id", asked.id().toString());
        }
        answers.check(asked.schema(), answer);
        return inbox.answer(db, agent(caller, workspace, chat), asked.id(), answer.toString())
                .invoke(answered -> judge(caller, answered == null ? null : answered.admission()))
                .map(AnswerResult::question)
                .onItem()
                .ifNull()
                .failWith(ChatService::noQuestion);
    }

    private static Problem noQuestion() {
        return new Problem(ProblemType.CONFLICT, "The agent waits for no answer");
    }

    /**
     * Changes a chat, and the session that lives in it.
     *
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code VALIDATION_ERROR} if no engine serves the model
     */
    Uni<ChatView> change(Caller caller, UUID workspace, UUID chat, ChatChange change) {
        return find(caller, workspace, chat)
                .invoke(found -> {
                    if (change.getModel() != null && WireEnum.is(Hosting.SERVER, found.hosting)) {
                        engines.require(change.getModel());
                    }
                })
                .chain(() -> chats.change(database, agent(caller, workspace, chat), change))
                .invoke(changed -> judge(caller, changed == null ? null : changed.admission()))
                .invoke(notifier::appended)
                .map(ChatRepository.ChangeResult::chat);
    }

    /** What waits for a person, oldest first. */
    Uni<List<AttentionView>> attention(Caller caller, UUID workspace, int limit) {
        return access.require(caller, workspace, Role.VIEWER).chain(() -> chats.attention(database, workspace, limit));
    }

    /** What the workspace's agents have used. */
    Uni<UsageView> usage(Caller caller, UUID workspace) {
        return access.require(caller, workspace, Role.VIEWER)
                .chain(() -> entities.read(() -> spending.findById(workspace)))
                .map(found -> found == null ? new UsageView(0, 0, 0, 0) : found.view());
    }
}
