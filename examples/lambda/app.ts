// Runs handler.ts on this machine as a function URL would. On Lambda, handler.ts alone is what is deployed.
import { createServer } from "node:http";
import { port } from "../settings.ts";
import { serveFunctionUrl } from "./function-url.ts";

const invoke = serveFunctionUrl();
const { auth, handler } = await import("./handler.ts");

createServer(invoke(handler)).listen(port, "127.0.0.1", async () => {
  for (const fault of await auth.selfCheck()) console.error(fault);
  console.log(`ready ${auth.baseUrl()}`);
});
