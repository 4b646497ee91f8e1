import { serve } from "@hono/node-server";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { getPrincipal, sallyport } from "sallyport";
import { needsScope, protectMcp } from "sallyport/mcp";
import { z } from "zod";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const notes = new Map<string, string[]>();

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("list_notes", { description: "Your notes" }, () => {
    const { username, subject } = getPrincipal();
    return { content: [{ type: "text", text: `Notes of ${username}: ${notes.get(subject)?.join(", ") ?? "none"}` }] };
  });
  server.registerTool(
    "add_note",
    {
      description: "Writes a note",
      inputSchema: z.object({ text: z.string() }),
      // Who may not write is asked to sign in for it before the tool runs.
      scopeChallenge: needsScope("notes/write"),
    },
    ({ text }, { http }) => {
      const { subject } = getPrincipal();
      notes.set(subject, [...(notes.get(subject) ?? []), text]);
      return { content: [{ type: "text", text: `Written by ${http?.authInfo?.clientId}` }] };
    },
  );
  return server;
});

const mcp = protectMcp(auth, handler);
const app = (request: Request): Promise<Response> =>
  new URL(request.url).pathname === "/mcp" ? mcp(request) : auth.fetch(request);

serve({ fetch: app, port, hostname: "127.0.0.1" }, () => console.log(`ready ${auth.baseUrl()}`));
