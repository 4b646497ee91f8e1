import { createServer } from "node:http";
import { sallyport } from "sallyport";
import { toListener, withEndpoints } from "sallyport/node";
import { mcpHandler } from "../notes.ts";
import { port, settings } from "../settings.ts";

const auth = await sallyport.fromFile(settings);
const mcp = toListener(
  auth,
  auth.protect((request) => mcpHandler.fetch(request)),
);

const app = withEndpoints(auth, (request, response) => {
  if (request.url === "/mcp") mcp(request, response);
  else response.end("My own page\n");
});

createServer(app).listen(port, "127.0.0.1", async () => {
  for (const fault of await auth.selfCheck()) console.error(fault);
  console.log(`ready ${auth.baseUrl()}`);
});
