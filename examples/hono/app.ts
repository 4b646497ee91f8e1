import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { sallyport } from "sallyport";
import { endpoints, protect } from "sallyport/hono";
import { mcpHandler } from "../notes.ts";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const mcp = auth.protect((request) => mcpHandler.fetch(request));

const app = new Hono();
app.use(endpoints(auth));
app.post("/mcp", (context) => mcp(context.req.raw));
app.get("/me", protect(auth, { resource: "/mcp" }), ({ var: { principal }, json }) =>
  json({ username: principal.username, groups: principal.groups }),
);
app.get("/", ({ text }) => text("My own page\n"));

serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, async () => {
  for (const fault of await auth.selfCheck()) console.error(fault);
  console.log(`ready ${auth.baseUrl()}`);
});
