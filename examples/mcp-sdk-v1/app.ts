import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express from "express";
import { getPrincipal, sallyport } from "sallyport";
import { authRouter, bearerAuth, toolScopes } from "sallyport/mcp-v1";
import { z } from "zod";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const notes = new Map<string, string[]>();

function createNotes(): McpServer {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("list_notes", { description: "Your notes" }, () => {
    const { username, subject } = getPrincipal();
    return { content: [{ type: "text", text: `Notes of ${username}: ${notes.get(subject)?.join(", ") ?? "none"}` }] };
  });
  const inputSchema = { text: z.string() };
  server.registerTool("add_note", { description: "Writes a note", inputSchema }, ({ text }, { authInfo }) => {
    const { subject } = getPrincipal();
    notes.set(subject, [...(notes.get(subject) ?? []), text]);
    return { content: [{ type: "text", text: `Written by ${authInfo?.clientId}` }] };
  });
  return server;
}

const app = express();
// Was: mcpAuthRouter({ provider: new ProxyOAuthServerProvider(…), issuerUrl })
app.use(authRouter(auth));
app.use(express.json());
// Was: requireBearerAuth({ verifier: provider })
app.use("/mcp", bearerAuth(auth), toolScopes({ add_note: ["notes/write"] }));
app.post("/mcp", async (request, response) => {
  const server = createNotes();
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.on("close", () => void transport.close());
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});

app.listen(port, "127.0.0.1", () => console.log(`ready ${auth.baseUrl()}`));
