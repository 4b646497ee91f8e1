import type { ServerConfig } from "@sallyport/gateway";
import { listsOf, type ServerLists } from "./live-lists.ts";
import { McpFault } from "./mcp-exchange.ts";

/** What servers list, and why some could not be asked, by name. */
export interface ServersAsked {
  readonly lists: ReadonlyMap<string, ServerLists>;
  readonly problems: ReadonlyMap<string, string>;
}

/** Servers that are asked at a time. */
const atOnce = 8;
/** The most that one server may take for everything, milliseconds. */
const mostTime = 15_000;

/**
 * Asks servers for their lists, as the gateway would reach them, with the secret that they want. An identity assertion
 * can only be signed by the gateway itself.
 */
export async function askServers(servers: readonly ServerConfig[]): Promise<ServersAsked> {
  const lists = new Map<string, ServerLists>();
  const problems = new Map<string, string>();
  const waiting = [...servers];
  const work = async (): Promise<void> => {
    for (let server = waiting.shift(); server !== undefined; server = waiting.shift()) {
      try {
        lists.set(server.name, await listsOf(endpointOf(server)));
      } catch (error) {
        if (!(error instanceof McpFault)) throw error;
        const why = server.identityAssertion ? "; it may want an identity assertion, which only the gateway signs" : "";
        problems.set(server.name, `${error.message}${why}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { lists, problems };
}

function endpointOf({ url, timeout, secretHeader }: ServerConfig) {
  const value =
    secretHeader && (secretHeader.scheme ? `${secretHeader.scheme} ${secretHeader.value}` : secretHeader.value);
  return {
    url,
    headers: secretHeader && value !== undefined ? { [secretHeader.name]: value } : {},
    signal: AbortSignal.timeout(Math.min(timeout, mostTime)),
  };
}
