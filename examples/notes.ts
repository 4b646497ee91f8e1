import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { getPrincipal, requireScope } from "sallyport";
import { z } from "zod";

const notes = new Map<string, string[]>();

/** An MCP server whose tools know who calls them. It says nothing of HTTP frameworks: every example serves this one. */
function createNotes(): McpServer {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("list_notes", { description: "Your notes" }, () => {
    const { username, subject } = getPrincipal();
    return { content: [{ type: "text", text: `Notes of ${username}: ${notes.get(subject)?.join(", ") ?? "none"}` }] };
  });
  const inputSchema = z.object({ text: z.string() });
  server.registerTool("add_note", { description: "Writes a note", inputSchema }, ({ text }) => {
    requireScope("notes/write");
    const { subject } = getPrincipal();
    notes.set(subject, [...(notes.get(subject) ?? []), text]);
    return { content: [{ type: "text", text: "Written" }] };
  });
  return server;
}

export const mcpHandler = createMcpHandler(createNotes);
