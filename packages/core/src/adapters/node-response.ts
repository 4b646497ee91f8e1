import type { ServerResponse } from "node:http";
import { pump } from "./pump.ts";

/** Sends a web response, each chunk as it comes. Ends reading it when the client has gone. Rejects where its body fails. */
export async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  const { body, headers } = response;
  outgoing.statusCode = response.status;
  for (const [name, value] of headers) {
    // What else the answer varies by, other middleware has said already.
    if (name === "vary") outgoing.appendHeader(name, value);
    else if (name !== "set-cookie") outgoing.setHeader(name, value);
  }
  for (const cookie of headers.getSetCookie()) outgoing.appendHeader("set-cookie", cookie);
  if (!body || outgoing.req.method === "HEAD") {
    await body?.cancel();
    outgoing.end();
    return;
  }
  // The head of a stream shall not wait for its first event.
  outgoing.flushHeaders();
  await pump(body, outgoing);
}
