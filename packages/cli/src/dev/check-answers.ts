import { CommandFailure } from "../process/failure.ts";

/** How long all answers together may take, in milliseconds. */
const patience = 10_000;

/**
 * Asks every part over HTTP, as a client would: it is ready when they answer, not when they have been started.
 * @throws CommandFailure naming the part that does not answer as it should
 */
export async function checkAnswers(
  parts: {
    readonly gateway: string;
    readonly cognitoDiscovery: string;
    /** The MCP servers through the gateway; without a token each must ask for one. */
    readonly servers: readonly { readonly name: string; readonly url: string }[];
    /** The demo servers themselves. */
    readonly upstreams: readonly { readonly name: string; readonly url: string }[];
  },
  signal: AbortSignal,
): Promise<void> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const ask = async (what: string, url: string, expected: number, init: RequestInit = {}): Promise<void> => {
    let status: number;
    try {
      const response = await fetch(url, { ...init, signal: until, redirect: "manual" });
      await response.body?.cancel();
      status = response.status;
    } catch {
      signal.throwIfAborted();
      throw new CommandFailure(`${what} does not answer at ${url}`);
    }
    if (status !== expected) throw new CommandFailure(`${what} answers ${status} at ${url}: is another program there?`);
  };
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  await Promise.all([
    ask("the gateway", `${parts.gateway}/healthz`, 200),
    ask("the gateway", `${parts.gateway}/readyz`, 200),
    ask("the local Cognito", parts.cognitoDiscovery, 200),
    ...parts.servers.map(({ name, url }) =>
      ask(`the gateway's server ${name}`, url, 401, { method: "POST", headers: json, body: "{}" }),
    ),
    ...parts.upstreams.map(({ name, url }) =>
      ask(`the demo server ${name}`, url, 200, { method: "POST", headers: json, body: initialize }),
    ),
  ]);
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "sallyport-dev", version: "1" } },
});
