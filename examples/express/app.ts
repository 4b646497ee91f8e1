import express from "express";
import { sallyport } from "sallyport";
import { endpoints, protect, refusals, toHandler } from "sallyport/express";
import { mcpHandler } from "../notes.ts";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const app = express();
app.use(endpoints(auth));
app.use(express.json());

// An MCP server in the form of a web handler.
const mcp = auth.protect((request) => mcpHandler.fetch(request));
app.post("/mcp", toHandler(auth, mcp));

// A route of Express's own, for holders of the same tokens.
app.get("/me", protect(auth, { resource: "/mcp" }), (request, response) => {
  response.json({ username: request.principal?.username, groups: request.principal?.groups });
});

// Everybody's.
app.get("/", (_request, response) => {
  response.send("My own page\n");
});
app.use(refusals);

app.listen(port, "127.0.0.1", async () => {
  for (const fault of await auth.selfCheck()) console.error(fault);
  console.log(`ready ${auth.baseUrl()}`);
});
