import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import {
  hostHeaderValidation,
  type NodeServerResponseLike,
  originValidation,
  toNodeHandler,
} from "@modelcontextprotocol/node";
import { createMcpHandler, isLegacyRequest } from "@modelcontextprotocol/server";
import type { McpDefinition } from "./mcp-definition.ts";
import { createSessions } from "./sessions.ts";

/** The path at which each demo server answers. */
const PATH = "/mcp";

/** How long answers may take to leave once everything is told to end, in milliseconds. */
const FAREWELL_MS = 250;

/** A demo server that listens. */
export interface ServedMcp {
  /** Where it answers, e.g. `http://127.0.0.1:40123/mcp`. */
  readonly url: string;
  /** Ends running calls, sessions and streams, and stops listening. */
  close(): Promise<void>;
}

/**
 * Serves one MCP server over Streamable HTTP, to clients of 2026-07-28 (each request alone) and of 2025 (sessions).
 * There is no authentication: such a server belongs behind a gateway. Against DNS rebinding, `Host` and `Origin` must
 * name one of `allowedHostnames` (MCP 2025-11-25, transports, "Security Warning"); otherwise the answer is 403.
 *
 * @param definition what to serve
 * @param options.hostname the address to bind; the port is one that is free
 * @param options.allowedHostnames host names without ports, IPv6 in brackets
 */
export async function serveMcp(
  definition: McpDefinition,
  options: { readonly hostname: string; readonly allowedHostnames: readonly string[] },
): Promise<ServedMcp> {
  const sessions = createSessions(definition);
  const modern = createMcpHandler(({ era }) => definition.create({ era, onChange: () => {} }), {
    legacy: "reject",
    bus: definition.changes,
  });
  const answer = toNodeHandler({
    fetch: async (request) => ((await isLegacyRequest(request)) ? sessions.fetch(request) : modern.fetch(request)),
  });
  const hostAllowed = hostHeaderValidation([...options.allowedHostnames]);
  const originAllowed = originValidation([...options.allowedHostnames]);

  const http = createServer((request, response) => {
    if (!hostAllowed(request, response) || !originAllowed(request, response)) return;
    const { method = "GET", url = "/" } = request;
    const [path] = url.split("?");
    if (path !== PATH) {
      response.writeHead(404, { "content-type": "text/plain" }).end(`Not found: this server answers at ${PATH}\n`);
      return;
    }
    answer(Object.assign(request, { method, url }), openingStreamsAtOnce(response)).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen(0, options.hostname, () => {
      http.removeListener("error", reject);
      resolve();
    });
  });

  return {
    url: `http://${authority(http.address())}${PATH}`,
    async close() {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      await Promise.all([modern.close(), sessions.close()]);
      http.closeIdleConnections();
      await Promise.race([closed, after(FAREWELL_MS, undefined, { ref: false })]);
      http.closeAllConnections();
      await closed;
    },
  };
}

function authority(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") throw new Error("The listener has no port");
  return address.family === "IPv6" ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}

/**
 * Node holds an answer's head back until there is a body, and a stream may have nothing to say for long: without this,
 * a client would not learn that its stream is open before the first keep-alive.
 */
function openingStreamsAtOnce(response: ServerResponse): NodeServerResponseLike {
  return {
    writeHead(status, headers = {}) {
      response.writeHead(status, headers);
      if (headers["content-type"]?.startsWith("text/event-stream")) response.flushHeaders();
    },
    write: (chunk) => response.write(chunk),
    end: (chunk) => response.end(chunk),
    on: (event, listener) => response.on(event, listener),
    get destroyed() {
      return response.destroyed;
    },
  };
}
