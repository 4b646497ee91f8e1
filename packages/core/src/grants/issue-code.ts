import { randomId } from "../crypto/index.ts";
import type { UpstreamSession } from "../identity/identity-provider.ts";
import type { Grant } from "../records/index.ts";
import { grantIndex } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";
import { grantTtl } from "./grant-lifetime.ts";
import { handleToken } from "./handle-token.ts";
import { cognitoSession } from "./upstream-session.ts";

/** What the grant of a finished sign-in begins with. */
export interface NewSignIn {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  /** The most that the client may have, included scopes spelled out; undefined: no bound. */
  readonly clientScopes?: readonly string[] | undefined;
  readonly session: UpstreamSession;
}

/** Writes the grant of a finished sign-in with a code inside it (RFC 6749 §4.1.2). */
export async function issueCode(
  deps: GrantDeps,
  signIn: NewSignIn,
): Promise<{ readonly code: string; readonly grantId: string; readonly absoluteUntil: number }> {
  const now = deps.clock.now();
  const grantId = randomId(deps.random);
  const code = handleToken(grantId, 0, deps.keys.active, randomId(deps.random));
  const grant: Grant = {
    state: "code_issued",
    principal: "user",
    createdAt: now,
    clientId: signIn.clientId,
    resource: signIn.resource,
    scopes: [...signIn.scopes],
    ...(signIn.clientScopes === undefined ? {} : { clientScopes: [...signIn.clientScopes] }),
    code: {
      hash: code.hash,
      challenge: signIn.codeChallenge,
      redirectUri: signIn.redirectUri,
      expiresAt: now + deps.tokens.codeTtl,
    },
    // From when the user signed in: Cognito's session may be older than this grant, and its refresh token with it.
    absoluteUntil: Math.min(now, signIn.session.authTime * 1000) + deps.tokens.refreshTtl,
    upstream: cognitoSession(deps, signIn.session),
  };
  const ttl = grantTtl(grant, now, deps);
  const written = await deps.grants.put(grantId, grant, { ttl, ifAbsent: true, index: grantIndex(deps, grant) });
  if (!written) throw new Error("a random grant id was already taken");
  return { code: code.text, grantId, absoluteUntil: grant.absoluteUntil };
}
