import { homedir } from "node:os";
import { join } from "node:path";
import { type Clock, type Fetch, type Random, systemClock, systemRandom } from "../runtime/index.ts";

/** What may be handed in instead of the machine's own. */
export interface ClientRuntime {
  readonly clock: Clock;
  readonly random: Random;
  /** For requests that renew a token ahead of time; all others go through the transport's own. */
  readonly fetch: Fetch;
}

/** What both kinds of identity need. */
export interface ClientOptions {
  /** URL of the MCP server, as the transport gets it. */
  readonly serverUrl: string | URL;
  /** Where tokens are kept. Default `~/.sallyport/tokens`. */
  readonly folder?: string;
  readonly runtime?: Partial<ClientRuntime>;
}

export function withDefaults({ serverUrl, folder, runtime }: ClientOptions) {
  const resource = new URL(serverUrl);
  resource.hash = "";
  const fetch: Fetch = (input, init) => globalThis.fetch(input, init);
  return {
    resource: resource.href,
    folder: folder ?? join(homedir(), ".sallyport", "tokens"),
    runtime: { clock: systemClock, random: systemRandom, fetch, ...runtime } satisfies ClientRuntime,
  };
}
