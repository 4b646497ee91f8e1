import Fastify from "fastify";
import { sallyport } from "sallyport";
import { endpoints, protect, toHandler } from "sallyport/fastify";
import { mcpHandler } from "../notes.ts";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const app = Fastify();
await app.register(endpoints(auth));

// An MCP server in the form of a web handler.
const mcp = auth.protect((request) => mcpHandler.fetch(request));
app.post("/mcp", toHandler(auth, mcp));

// A route of Fastify's own, for holders of the same tokens.
app.get("/me", protect(auth, { resource: "/mcp" }), async ({ principal }) => ({
  username: principal?.username,
  groups: principal?.groups,
}));

// Everybody's.
app.get("/", async () => "My own page\n");

await app.listen({ port, host: "127.0.0.1" });
for (const fault of await auth.selfCheck()) console.error(fault);
console.log(`ready ${auth.baseUrl()}`);
