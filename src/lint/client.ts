// A program as a user of openapi-typescript writes it: it must compile with --strict, without a cast and without an assertion.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type Session = components["schemas"]["Session"];
type Events = components["schemas"]["StreamEvents"];

const client = createClient<paths>({ baseUrl: "http://localhost:8080", headers: { Authorization: "Bearer …" } });

/** EventSource's listeners, with the type of each event's data. */
function on<Name extends keyof Events>(source: EventSource, name: Name, listener: (data: Required<Events>[Name]) => void) {
  source.addEventListener(name, (event) => listener(JSON.parse((event as MessageEvent<string>).data)));
}

async function pauseAll(workspaceId: string): Promise<string[]> {
  const { data, error } = await client.GET("/api/v1/workspaces/{workspaceId}/agent-sessions", {
    params: { path: { workspaceId }, query: { status: ["running"], limit: 10 } },
  });
  if (error) {
    throw new Error(`${error.code}: ${error.detail}`);
  }
  const names: string[] = [];
  for (const session of data.sessions) {
    const paused = await client.POST("/api/v1/agent-sessions/{id}/pause", {
      params: { path: { id: session.id }, query: { wait: 5 } },
      body: { reason: "for lunch" },
    });
    if (paused.error) {
      names.push(`${session.id} is ${paused.error.current_status ?? "as it was"}, and may become ${paused.error.allowed_transitions?.join(", ")}`);
    } else {
      names.push(describe(paused.data.session) + (paused.data.command?.state ?? ""));
    }
  }
  return names;
}

function describe(session: Session): string {
  const until: string | null | undefined = session.pause?.expires_at;
  const team: string | undefined = session.labels["team"];
  return `${session.id} ${session.status} ${until} ${team} ${JSON.stringify(session.result)} ${session.budget.max_turns ?? "∞"}`;
}

async function talk(workspaceId: string): Promise<void> {
  const created = await client.POST("/api/v1/workspaces/{workspaceId}/chats", {
    params: { path: { workspaceId }, header: { "Idempotency-Key": "one" } },
    body: { goal: "Plan the release" },
  });
  if (!created.data) {
    throw new Error(created.error.error);
  }
  const chatId = created.data.chat_id;
  const token = await client.POST("/api/v1/stream-tokens", {
    body: { path: `/api/v1/workspaces/${workspaceId}/chats/${chatId}/events` },
  });
  const source = new EventSource(`/api/v1/workspaces/${workspaceId}/chats/${chatId}/events?stream_token=${token.data?.stream_token}`);
  on(source, "chunk", (chunk) => console.log(chunk.text, chunk.offset));
  on(source, "agent_status", (change) => console.log(change.previous_status, "→", change.status));
  on(source, "done", (done) => console.log(done.message, done.usage.output_tokens));
  on(source, "question_pending", (asked) => {
    void client.POST("/api/v1/workspaces/{workspaceId}/chats/{chatId}/answers", {
      params: { path: { workspaceId, chatId } },
      body: { question_id: asked.question_id, answer: { yes: true } },
    });
  });
  const whole = await client.GET("/api/v1/workspaces/{workspaceId}/chats/{chatId}", {
    params: { path: { workspaceId, chatId } },
  });
  for (const message of whole.data?.messages ?? []) {
    console.log(message.kind === "call" ? message.data["call_id"] : message.content);
  }
  const history = await client.GET("/api/v1/agent-sessions/{id}/events", {
    params: { path: { id: created.data.session_id }, query: { limit: 100 } },
  });
  history.data?.events.forEach((event) => console.log(event.event, event.data["status"]));
}

void pauseAll("w").then(() => talk("w"));
