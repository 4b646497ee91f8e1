import { type McpServer, ProtocolError, ProtocolErrorCode, ResourceTemplate } from "@modelcontextprotocol/server";
import type { ServingContext } from "../mcp-definition.ts";
import { RED_PIXEL_PNG } from "./media.ts";
import type { SharedState } from "./shared-state.ts";

/** The resource that changes. */
export const WATCHED_URI = "test://watched-resource";

/** Resources one session may subscribe to. */
const MAX_SUBSCRIPTIONS = 100;

/** A text, a binary, a templated and a changing resource, and subscriptions as 2025 has them. */
export function addResources(server: McpServer, shared: SharedState, context: ServingContext): void {
  server.registerResource(
    "static-text",
    "test://static-text",
    { description: "A text that never changes", mimeType: "text/plain" },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: "A text that never changes." }] }),
  );
  server.registerResource(
    "static-binary",
    "test://static-binary",
    { description: "An image: one red pixel", mimeType: "image/png" },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: "image/png", blob: RED_PIXEL_PNG }] }),
  );
  server.registerResource(
    "watched-resource",
    WATCHED_URI,
    { description: "Changes when test_touch_watched_resource is called", mimeType: "text/plain" },
    (uri) => ({
      contents: [{ uri: uri.href, mimeType: "text/plain", text: `Revision ${shared.watchedRevision}` }],
    }),
  );
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", {
      list: undefined,
      complete: { id: (start) => ["1", "12", "123"].filter((id) => id.startsWith(start)) },
    }),
    { description: "There is one for every id", mimeType: "application/json" },
    (uri, { id }) => ({
      contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify({ id, fromTemplate: true }) }],
    }),
  );
  if (context.era === "legacy") addSubscriptions(server, context);
}

/** `resources/subscribe` and `resources/unsubscribe`, which 2026-07-28 has replaced by `subscriptions/listen`. */
function addSubscriptions({ server }: McpServer, context: ServingContext): void {
  const subscribed = new Set<string>();
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    if (subscribed.size >= MAX_SUBSCRIPTIONS) {
      const message = `This session already has ${MAX_SUBSCRIPTIONS} subscriptions: unsubscribe from one first`;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  context.onChange((event) => {
    if (event.kind !== "resource_updated" || !subscribed.has(event.uri)) return;
    server.sendResourceUpdated({ uri: event.uri }).catch(() => {
      // The client has gone: its session ends by itself.
    });
  });
}
