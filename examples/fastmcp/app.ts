import { FastMCP } from "fastmcp";
import { getPrincipal, sallyport } from "sallyport";
import { addEndpoints, authenticate, type FastMcpSession, hasScope, withSession } from "sallyport/fastmcp";
import { z } from "zod";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const notes = new Map<string, string[]>();

const server = new FastMCP<FastMcpSession>({
  name: "notes",
  version: "1.0.0",
  authenticate: authenticate(auth, { resource: "/mcp" }),
});
addEndpoints(server.getApp(), auth);

server.addTool({
  name: "list_notes",
  description: "Your notes",
  execute: withSession(async () => {
    const { username, subject } = getPrincipal();
    return `Notes of ${username}: ${notes.get(subject)?.join(", ") ?? "none"}`;
  }),
});
server.addTool({
  name: "add_note",
  description: "Writes a note",
  parameters: z.object({ text: z.string() }),
  // Who may not write does not see it.
  canAccess: hasScope("notes/write"),
  execute: withSession(async ({ text }: { text: string }) => {
    const { subject } = getPrincipal();
    notes.set(subject, [...(notes.get(subject) ?? []), text]);
    return "Written";
  }),
});

await server.start({
  transportType: "httpStream",
  // Each request for itself: a session would keep the caller that it began with.
  httpStream: { host: "127.0.0.1", port, endpoint: "/mcp", stateless: true, enableJsonResponse: true },
});
console.log(`ready ${auth.baseUrl()}`);
