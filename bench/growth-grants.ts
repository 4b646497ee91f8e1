// The made-up grants of the growth benchmark. Everything about one follows from its number: nothing has to be kept.
import { createHash } from "node:crypto";
import { lookupHash, type RootKeys } from "../packages/core/src/crypto/index.ts";
import { grantTtl } from "../packages/core/src/grants/grant-lifetime.ts";
import { type HandleToken, handleToken } from "../packages/core/src/grants/handle-token.ts";
import { type GrantDeps, grantIndex, issueCode, redeemCode } from "../packages/core/src/grants/index.ts";
import { cognitoSession } from "../packages/core/src/grants/upstream-session.ts";
import type { UpstreamSession } from "../packages/core/src/identity/index.ts";
import { type Grant, grantKind, recordStore } from "../packages/core/src/records/index.ts";
import { type Entry, type IndexHints, memoryStore } from "../packages/core/src/store/index.ts";
import { codeChallenge, codeVerifier, testResource } from "../packages/core/test/grants/test-replica.ts";

const clients = 5;
/** As long as those that Cognito gives out. */
const upstreamTokenLength = 1_770;
const redirectUri = "http://127.0.0.1:9/callback";

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url");
/** Three grants for each, far enough apart to lie in different places. */
const userOf = (number: number): string => `user-${Math.floor(number / 300) * 100 + (number % 100)}`;
const clientOf = (number: number): string => `client-${number % clients}`;

export const grantIdOf = (number: number): string => digest(`grant ${number}`);

/** Under which hint all grants of the same user are found. */
export const userHintOf = (keys: RootKeys, number: number): string =>
  lookupHash(keys.active, "grant-user", userOf(number));

/** The refresh token that was given out with a {@link liveGrant}. */
export const refreshTokenOf = (keys: RootKeys, number: number): HandleToken =>
  handleToken(grantIdOf(number), 1, keys.active, digest(`secret ${number}`));

const sessionOf = (deps: GrantDeps, number: number): UpstreamSession => ({
  identity: {
    sub: userOf(number),
    username: userOf(number),
    groups: ["mcp-developers"],
    email: `${userOf(number)}@example.com`,
    emailVerified: true,
    claims: { "custom:department": "benchmarks" },
  },
  refreshToken: digest(`upstream ${number}`).repeat(42).slice(0, upstreamTokenLength),
  authTime: Math.floor(deps.clock.now() / 1000),
});

/** A finished sign-in, with a code that waits. */
export const issue = (deps: GrantDeps, number: number): Promise<{ readonly code: string; readonly grantId: string }> =>
  issueCode(deps, {
    clientId: clientOf(number),
    redirectUri,
    codeChallenge,
    resource: testResource,
    scopes: ["read", "write"],
    session: sessionOf(deps, number),
  });

/** Redeems a code of {@link issue} as its client does. */
export const redeem = (deps: GrantDeps, number: number, code: string): Promise<unknown> =>
  redeemCode(deps, { code, clientId: clientOf(number), redirectUri, codeVerifier, resource: testResource });

/** A grant as it stands once its code has been redeemed and is over. */
function liveGrant(deps: GrantDeps, number: number): Grant {
  const now = deps.clock.now();
  const { hash, key, n } = refreshTokenOf(deps.keys, number);
  return {
    state: "live",
    principal: "user",
    createdAt: now,
    clientId: clientOf(number),
    resource: testResource,
    scopes: ["read", "write"],
    refresh: { n, hash, kid: key.kid, idleUntil: now + deps.tokens.refreshIdleTtl, used: [] },
    absoluteUntil: now + deps.tokens.refreshTtl,
    upstream: cognitoSession(deps, sessionOf(deps, number)),
  };
}

/** Writes a live grant; `deps.grants` says where. */
export async function writeGrant(deps: GrantDeps, number: number): Promise<void> {
  const grant = liveGrant(deps, number);
  const ttl = grantTtl(grant, deps.clock.now(), deps);
  await deps.grants.put(grantIdOf(number), grant, { ttl, index: grantIndex(deps, grant) });
}

/** What a store is given for a record. */
export interface Row extends Entry {
  readonly key: string;
  readonly index: IndexHints;
}

/** Sealed records of live grants, in batches, for whoever writes many at once. */
export async function* sealedGrants(
  deps: GrantDeps,
  options: { readonly from: number; readonly to: number; readonly batch: number },
): AsyncGenerator<readonly Row[]> {
  let rows: Row[] = [];
  const store = {
    ...memoryStore(deps),
    async put(key: string, value: string, { ttl, index = {} }: { ttl: number; index?: IndexHints }) {
      rows.push({ key, value, index, version: "AAAAAAAAAAAAAAAA", expiresAt: Math.ceil(deps.clock.now() + ttl) });
      return true;
    },
  };
  const collecting = { ...deps, store, grants: recordStore(grantKind, { ...deps, store }) };
  for (let number = options.from; number < options.to; number += 1) {
    await writeGrant(collecting, number);
    if (rows.length < options.batch && number + 1 < options.to) continue;
    yield rows;
    rows = [];
  }
}
