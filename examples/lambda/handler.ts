import { sallyport } from "sallyport";
import { toStreamingHandler } from "sallyport/lambda";
import { mcpHandler } from "../notes.ts";
import { settings } from "../settings.ts";

export const auth = await sallyport.fromFile(settings);
const mcp = auth.protect((request) => mcpHandler.fetch(request));

/** For a function URL with the invoke mode RESPONSE_STREAM. For an HTTP API say `toHandler` instead. */
export const handler = toStreamingHandler(auth, (request) =>
  new URL(request.url).pathname === "/mcp" ? mcp(request) : new Response("My own page\n"),
);
