import { BearerRefusal, type BearerVerifier, type Principal } from "sallyport";

/** Who has which token, and for which server. */
export interface Holder {
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly entitled?: readonly string[];
  readonly kind?: "user" | "machine";
  readonly clientId?: string;
}

/** A verifier over a fixed table of tokens; `<token>@<server>` is for that server only. */
export interface TokenMap extends BearerVerifier {
  /** Subjects whose grant has ended. */
  readonly ended: Set<string>;
  /** Holders may change while a response is open. */
  readonly holders: Map<string, Holder>;
  /** True: door two cannot be asked. */
  outage: boolean;
  /** `check` answers with a promise, which waits for this one. */
  wait: Promise<unknown> | undefined;
  /** How often a request asked. */
  checks: number;
  /** How often door two was asked again. */
  rechecks: number;
}

export function tokenMap(baseUrl: string, entries: Readonly<Record<string, Holder>>): TokenMap {
  const holders = new Map(Object.entries(entries));
  const challenge = (resource: string) => ({
    scope: "mcp/read",
    resourceMetadata: `${baseUrl}/.well-known/oauth-protected-resource${new URL(resource).pathname}`,
  });
  const find = (authorization: string | undefined, resource: string): Principal => {
    if (authorization === undefined) throw BearerRefusal.missing(challenge(resource));
    const [token = "", server] = authorization.replace(/^Bearer /, "").split("@");
    const holder = holders.get(token);
    if (!holder || !authorization.startsWith("Bearer ")) {
      throw BearerRefusal.invalid("token_malformed", challenge(resource));
    }
    if (server !== undefined && !resource.endsWith(`/${server}/mcp`)) {
      throw BearerRefusal.invalid("token_audience_mismatch", challenge(resource));
    }
    return principalOf(token, holder, resource);
  };
  const map: TokenMap = {
    ended: new Set(),
    holders,
    outage: false,
    wait: undefined,
    checks: 0,
    rechecks: 0,
    challenge,
    check(authorization, resource) {
      map.checks++;
      if (map.outage) throw BearerRefusal.unavailable("store_unavailable");
      return map.wait?.then(() => find(authorization, resource)) ?? find(authorization, resource);
    },
    async recheck(principal) {
      map.rechecks++;
      if (map.outage) throw BearerRefusal.unavailable("store_unavailable");
      if (map.ended.has(principal.subject)) {
        throw BearerRefusal.invalid("grant_revoked", challenge(principal.resource));
      }
      const token = principal.grantId ?? "";
      const holder = holders.get(token);
      if (!holder) throw new TypeError("the table has lost a row");
      return principalOf(token, holder, principal.resource);
    },
  };
  return map;
}

function principalOf(token: string, holder: Holder, resource: string): Principal {
  return {
    kind: holder.kind ?? "user",
    subject: holder.subject,
    groups: [],
    claims: {},
    clientId: holder.clientId ?? "client-1",
    grantId: token,
    resource,
    tokenScopes: holder.scopes,
    scopes: holder.scopes,
    entitled: holder.entitled ?? holder.scopes,
    expiresAt: Date.UTC(2026, 10, 21),
    doors: { token: true, grant: true },
  };
}
