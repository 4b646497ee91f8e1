import { randomUUID } from "node:crypto";
import {
  type McpServer,
  type ServerEvent,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { createEventMemory } from "./event-memory.ts";
import type { McpDefinition } from "./mcp-definition.ts";

/** Sessions kept at a time; beyond that the one unused for longest ends, and its client starts a new one. */
const MAX_SESSIONS = 200;

/** How soon a client whose stream was closed on purpose should come back, in milliseconds. */
const RETRY_MS = 200;

interface Session {
  readonly server: McpServer;
  readonly transport: WebStandardStreamableHTTPServerTransport;
}

/** The 2025 side of one server: sessions begun by `initialize`, told apart by `Mcp-Session-Id`. */
export interface Sessions {
  /** Answers one request of a 2025 client. */
  fetch(request: Request): Promise<Response>;
  /** Ends every session and its open streams. */
  close(): Promise<void>;
}

/** Serves `definition` to clients of the 2025 revisions (MCP 2025-11-25, transports, "Session Management"). */
export function createSessions(definition: McpDefinition): Sessions {
  const sessions = new Map<string, Session>();

  async function open(request: Request): Promise<Response> {
    const listeners: ((event: ServerEvent) => void)[] = [];
    const server = definition.create({ era: "legacy", onChange: (listener) => listeners.push(listener) });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: createEventMemory(),
      retryInterval: RETRY_MS,
      onsessioninitialized: async (id) => {
        sessions.set(id, { server, transport });
        const [oldest] = sessions.values();
        if (sessions.size > MAX_SESSIONS && oldest !== undefined) await oldest.server.close();
      },
    });
    const stopListening = definition.changes.subscribe((event) => {
      for (const listener of listeners) listener(event);
      void announce(server, event).catch(() => {
        // The client has gone: its session ends by itself.
      });
    });
    server.server.onclose = () => {
      stopListening();
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
    };
    try {
      await server.connect(transport);
      return await transport.handleRequest(request);
    } finally {
      // Anything but an accepted `initialize` opens no session: the transport has answered with the error.
      if (transport.sessionId === undefined) await server.close();
    }
  }

  return {
    async fetch(request) {
      const id = request.headers.get("mcp-session-id");
      if (id === null) return open(request);
      const session = sessions.get(id);
      if (session === undefined) return sessionNotFound();
      // The map keeps the order of use.
      sessions.delete(id);
      sessions.set(id, session);
      return session.transport.handleRequest(request);
    },
    async close() {
      await Promise.allSettled([...sessions.values()].map((session) => session.server.close()));
      sessions.clear();
    },
  };
}

async function announce({ server }: McpServer, event: ServerEvent): Promise<void> {
  switch (event.kind) {
    case "tools_list_changed":
      return server.sendToolListChanged();
    case "prompts_list_changed":
      return server.sendPromptListChanged();
    case "resources_list_changed":
      return server.sendResourceListChanged();
    case "resource_updated":
      // Only for those who subscribed to it, which the definition itself knows.
      return;
  }
}

function sessionNotFound(): Response {
  const error = {
    code: -32001,
    message: "Session not found: send initialize without Mcp-Session-Id to begin a new one",
  };
  return Response.json({ jsonrpc: "2.0", error, id: null }, { status: 404 });
}
