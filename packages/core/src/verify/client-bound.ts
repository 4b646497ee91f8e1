import type { CoreConfig } from "../config/section.ts";
import type { ScopeCatalog } from "../scopes/index.ts";

/** Ids that nobody configures: URLs of metadata documents, and the 43 characters that registration gives out. */
const notConfigured = /^(?:https?:|[A-Za-z0-9_-]{43}$)/i;

/**
 * The most that a client may have by the settings of now, which may be others than those under which its grant began.
 * @returns scopes, included ones spelled out; undefined: no bound; `client_unknown`: it is configured no more
 */
export function clientBound(
  clientId: string,
  { clients, scopes }: { readonly clients: CoreConfig["clients"]; readonly scopes: ScopeCatalog },
): readonly string[] | "client_unknown" | undefined {
  const client = Object.hasOwn(clients, clientId) ? clients[clientId] : undefined;
  if (client) return client.scopes && scopes.expand(client.scopes);
  return notConfigured.test(clientId) ? undefined : "client_unknown";
}
