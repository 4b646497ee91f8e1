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
    /** Names of the MCP servers behind the gateway. */
    readonly servers: readonly string[];
    /** The demo servers themselves. */
    readonly upstreams: readonly { readonly name: string; readonly url: string }[];
  },
  signal: AbortSignal,
): Promise<void> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const ask = async (what: string, url: string, init: RequestInit = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await fetch(url, { ...init, signal: until, redirect: "manual" });
      await response.body?.cancel();
    } catch {
      signal.throwIfAborted();
      throw new CommandFailure(`${what} does not answer at ${url}`);
    }
    if (response.ok) return response;
    throw new CommandFailure(`${what} answers ${response.status} at ${url}; does another program answer there?`);
  };
  const askServer = async ({ name, url }: { readonly name: string; readonly url: string }): Promise<void> => {
    const what = `the demo server ${name}`;
    const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const response = await ask(what, url, { method: "POST", headers: json, body: initialize });
    const session = response.headers.get("mcp-session-id");
    if (session !== null) await ask(what, url, { method: "DELETE", headers: { ...json, "mcp-session-id": session } });
  };
  await Promise.all([
    ask("the gateway", `${parts.gateway}/readyz`),
    ask("the authorization server", `${parts.gateway}/.well-known/oauth-authorization-server`),
    ...parts.servers.map((name) =>
      ask(`the server ${name}`, `${parts.gateway}/.well-known/oauth-protected-resource/${name}/mcp`),
    ),
    ask("the local Cognito", parts.cognitoDiscovery),
    ...parts.upstreams.map(askServer),
  ]);
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "sallyport-dev", version: "1" } },
});
