import { describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool, testSub } from "../../test/support/test-pool.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import type { GrantJudge, Judgement } from "../grants/index.ts";
import type { ProviderAccessToken } from "../identity/index.ts";
import { IdentityProviderError } from "../identity/index.ts";
import { type AccessTokenClaims, type Keyring, openKeyring, signAccessToken } from "../keys/index.ts";
import type { Grant } from "../records/index.ts";
import { silentLogger, systemRandom } from "../runtime/index.ts";
import { scopeCatalog } from "../scopes/index.ts";
import { memoryStore, StoreUnavailable } from "../store/index.ts";
import { BearerRefusal, createVerifier, type Principal, resourceCatalog, type VerifierSettings } from "./index.ts";

const clockUrl = "https://mcp.example/clock/mcp";
const notesUrl = "https://mcp.example/notes/mcp";
const paths = ["/clock/mcp", "/notes/mcp"].map((path) => ({ path, requiredScopes: [] }));
const scope = (includes: string[] = []) => ({ includes, stepUp: false });
const machines = {
  robot: { scopes: ["write"], resources: ["/clock/mcp"] },
  signer: { scopes: ["write"], jwksUri: "https://signer.example/jwks" },
};

async function room() {
  const clock = steppingClock();
  const random = systemRandom;
  const newKeyring = () =>
    openKeyring({
      store: memoryStore({ clock, random }),
      keys: deriveRootKeys(["A".repeat(43)]),
      clock,
      random,
      logger: silentLogger,
      checkInterval: 1e12,
    });
  const real = await newKeyring();
  /** The keyring as the verifier sees it, with what a test changes. */
  const ring = {
    current: real,
    generation: 1,
    refresh: async () => {},
    reread: (): Promise<void> | undefined => undefined,
    finds: 0,
  };
  const keyring: Keyring = {
    active: () => ring.current.active(),
    find: (kid) => {
      ring.finds += 1;
      return ring.current.find(kid);
    },
    jwks: () => ring.current.jwks(),
    get generation() {
      return ring.generation;
    },
    refresh: () => ring.refresh(),
    current: () => ring.reread(),
    probe: async () => {},
    settled: async () => {},
  };
  const grant: Grant = {
    state: "live",
    principal: "user",
    createdAt: clock.now(),
    clientId: "client",
    resource: clockUrl,
    scopes: ["read", "write"],
    absoluteUntil: clock.now() + 1e9,
    upstream: {
      kind: "cognito_session",
      identity: { sub: testSub, username: "alice", groups: ["writers"], email: "a@example.com", claims: { x: 1 } },
      verifiedAt: clock.now(),
      renewAt: clock.now() + 1e9,
    },
  };
  const door: { judgement: Judgement; asked: string[]; afresh: number; remembered: boolean } = {
    judgement: { holds: "yes", grant, grantId: "grant-1" },
    asked: [],
    afresh: 0,
    remembered: true,
  };
  const answer = (grantId: string): Judgement => {
    door.asked.push(grantId);
    return door.judgement;
  };
  const judge: GrantJudge = {
    judge: (grantId) => (door.remembered ? answer(grantId) : Promise.resolve(answer(grantId))),
    judgeAfresh: async (grantId) => {
      door.afresh += 1;
      return answer(grantId);
    },
  };
  const scopes = scopeCatalog({
    scopes: { read: scope(), write: scope(["read"]), admin: scope(["write"]) },
    groups: { writers: ["write"], readers: ["read"] },
    machines,
    resources: paths,
  });
  const cognito: { answer: () => Promise<ProviderAccessToken> } = {
    answer: () => Promise.reject(new IdentityProviderError("invalid_response", "not the pool's")),
  };
  const at = {
    settings: {
      resources: resourceCatalog("https://mcp.example", paths, scopes.defaultsOf, undefined),
      scopes,
      machines,
      clients: {
        client: { name: "Client", redirectUris: ["https://client.example/cb"], secretHashes: [], firstParty: false },
      },
    } satisfies VerifierSettings as VerifierSettings,
  };
  const verifier = createVerifier({
    issuer: "https://mcp.example",
    settings: () => at.settings,
    keyring,
    judge,
    identityProvider: { ...testPool(clock).provider, verifyAccessToken: () => cognito.answer() },
    clock,
  });
  const claims: AccessTokenClaims = {
    iss: "https://mcp.example",
    sub: testSub,
    aud: clockUrl,
    client_id: "client",
    scope: "read write",
    exp: Math.floor(clock.now() / 1000) + 600,
    iat: Math.floor(clock.now() / 1000),
    jti: "1",
    sid: "grant-1",
    principal: "user",
  };
  return {
    clock,
    ring,
    door,
    grant,
    at,
    verifier,
    claims,
    cognito,
    newKeyring,
    bearer: (more: Partial<AccessTokenClaims> = {}) => `Bearer ${signAccessToken(real, { ...claims, ...more })}`,
  };
}

/** The refusal of a check, whether it is thrown or rejected. */
async function refusal(work: () => Principal | Promise<Principal>): Promise<BearerRefusal> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BearerRefusal) return error;
    throw error;
  }
  throw new Error("not refused");
}

describe("a token that is known", () => {
  test("is checked without a promise, and its signature once", async () => {
    const { verifier, bearer, ring, door } = await room();
    const token = bearer();
    const first = verifier.check(token, clockUrl);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({
      kind: "user",
      subject: testSub,
      username: "alice",
      email: "a@example.com",
      groups: ["writers"],
      claims: { x: 1 },
      clientId: "client",
      grantId: "grant-1",
      scopes: ["read", "write"],
      entitled: ["read", "write"],
      doors: { token: true, grant: true },
    });
    const second = verifier.check(token, clockUrl);
    expect(second).not.toBeInstanceOf(Promise);
    expect(second).toBe(verifier.check(token, clockUrl));
    expect(ring.finds).toBe(1);
    expect(door.asked).toHaveLength(3);
  });

  test("waits where its grant has to be read", async () => {
    const { verifier, bearer, door } = await room();
    await verifier.check(bearer(), clockUrl);
    door.remembered = false;
    const token = bearer();
    await verifier.check(token, clockUrl);
    expect(verifier.check(token, clockUrl)).toBeInstanceOf(Promise);
  });

  test("follows the grant: fewer groups, fewer scopes; more groups, no more than the token names", async () => {
    const { verifier, bearer, door, grant } = await room();
    const token = bearer({ scope: "read" });
    expect(await verifier.check(token, clockUrl)).toMatchObject({ scopes: ["read"], entitled: ["read", "write"] });
    const upstream = grant.upstream;
    if (upstream?.kind !== "cognito_session") throw new Error("no session");
    const withGroups = (groups: string[]): Judgement => ({
      holds: "yes",
      grantId: "grant-1",
      grant: { ...grant, upstream: { ...upstream, identity: { ...upstream.identity, groups } } },
    });
    door.judgement = withGroups([]);
    expect(verifier.check(token, clockUrl)).toMatchObject({ scopes: [], entitled: [] });
    door.judgement = withGroups(["writers"]);
    expect(verifier.check(token, clockUrl)).toMatchObject({ scopes: ["read"] });
  });

  test("a new sign-in could give no more than the client may have", async () => {
    const { verifier, bearer, door, grant } = await room();
    expect(await verifier.check(bearer(), clockUrl)).toMatchObject({ entitled: ["read", "write"] });
    door.judgement = { holds: "yes", grantId: "grant-1", grant: { ...grant, clientScopes: ["read"] } };
    expect(await verifier.check(bearer(), clockUrl)).toMatchObject({ entitled: ["read"] });
  });

  test("is refused at its end, not a moment later", async () => {
    const { verifier, bearer, clock } = await room();
    const token = bearer();
    await verifier.check(token, clockUrl);
    clock.advance(599_999);
    expect(verifier.check(token, clockUrl)).toMatchObject({ subject: testSub });
    clock.advance(1);
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({
      status: 401,
      reason: "token_expired",
    });
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({
      status: 401,
      reason: "token_expired",
    });
  });

  test("is for its own resource only", async () => {
    const { verifier, bearer } = await room();
    const token = bearer();
    expect(await refusal(() => verifier.check(token, notesUrl))).toMatchObject({ reason: "token_audience_mismatch" });
    await verifier.check(token, clockUrl);
    expect(await refusal(() => verifier.check(token, notesUrl))).toMatchObject({ reason: "token_audience_mismatch" });
    expect(() => verifier.check(token, "https://elsewhere.example/mcp")).toThrow(RangeError);
  });

  test("is forgotten when the keyring changes, so that a withdrawn key opens nothing", async () => {
    const { verifier, bearer, ring, newKeyring } = await room();
    const token = bearer();
    await verifier.check(token, clockUrl);
    ring.current = await newKeyring();
    expect(verifier.check(token, clockUrl)).toMatchObject({ subject: testSub });
    ring.generation = 2;
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({ reason: "token_signature_invalid" });
  });
});

describe("keys that have to be read again", () => {
  test("are waited for, also by a token that is cached: a key that was dropped meanwhile opens nothing", async () => {
    const { verifier, bearer, ring, newKeyring } = await room();
    const token = bearer();
    await verifier.check(token, clockUrl);
    const other = await newKeyring();
    ring.reread = async () => {
      ring.current = other;
      ring.generation += 1;
    };
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({ reason: "token_signature_invalid" });
  });

  test("and cannot be: 503, cached or not", async () => {
    const { verifier, bearer, ring } = await room();
    const token = bearer();
    ring.reread = () => Promise.reject(new StoreUnavailable("down"));
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({ status: 503 });
    ring.reread = () => undefined;
    await verifier.check(token, clockUrl);
    ring.reread = () => Promise.reject(new StoreUnavailable("down"));
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({
      status: 503,
      reason: "store_unavailable",
    });
  });
});

describe("a token of an unknown key", () => {
  test("is verified after the keyring was read again", async () => {
    const { verifier, claims, ring, newKeyring } = await room();
    const newer = await newKeyring();
    ring.refresh = async () => {
      ring.current = newer;
    };
    const token = `Bearer ${signAccessToken(newer, claims)}`;
    expect(await verifier.check(token, clockUrl)).toMatchObject({ subject: testSub });
  });

  test("is no bad token while the store does not answer: 503", async () => {
    const { verifier, claims, ring, newKeyring } = await room();
    ring.refresh = () => Promise.reject(new StoreUnavailable("down"));
    const token = `Bearer ${signAccessToken(await newKeyring(), claims)}`;
    const refused = await refusal(() => verifier.check(token, clockUrl));
    expect(refused).toMatchObject({ status: 503, reason: "store_unavailable", challenge: undefined });
    expect(refused.headers()).toMatchObject({ "Retry-After": "5" });
  });
});

describe("door one", () => {
  const now = Math.floor(Date.UTC(2026, 0, 1) / 1000);
  test.each<[string, Partial<AccessTokenClaims>, string]>([
    ["another issuer", { iss: "https://evil.example" }, "token_issuer_mismatch"],
    ["the issuer with a slash", { iss: "https://mcp.example/" }, "token_issuer_mismatch"],
    ["another audience", { aud: notesUrl }, "token_audience_mismatch"],
    ["an end that has passed", { exp: now }, "token_expired"],
    ["a beginning more than 60 s ahead", { iat: now + 61 }, "token_not_yet_valid"],
    ["another client than the grant's", { client_id: "other" }, "grant_user_mismatch"],
    ["another user than the grant's", { sub: "other" }, "grant_user_mismatch"],
    ["another kind of principal than the grant's", { principal: "machine" }, "grant_user_mismatch"],
  ])("refuses %s", async (_, more, reason) => {
    const { verifier, bearer } = await room();
    const refused = await refusal(() => verifier.check(bearer(more), clockUrl));
    expect(refused).toMatchObject({ status: 401, reason, code: "invalid_token" });
    expect(refused.challenge).toContain('error="invalid_token"');
    expect(refused.body()).not.toContain(reason);
  });

  test("bears a replica's clock that is 60 s ahead", async () => {
    const { verifier, bearer } = await room();
    expect(await verifier.check(bearer({ iat: now + 60 }), clockUrl)).toMatchObject({ subject: testSub });
  });

  test.each([
    ["no header", undefined, "token_missing"],
    ["an empty header", "", "token_malformed"],
    ["no token", "Bearer ", "token_malformed"],
    ["another scheme", "Basic dTpw", "token_malformed"],
    ["two tokens", "Bearer a.b.c d.e.f", "token_malformed"],
    ["two headers joined", "Bearer a.b.c, Bearer d.e.f", "token_malformed"],
    ["an opaque token", "Bearer abc", "token_malformed"],
  ])("%s: 401 with the challenge", async (_, header, reason) => {
    const refused = await refusal(async () => (await room()).verifier.check(header, clockUrl));
    expect(refused).toMatchObject({ status: 401, reason });
    expect(refused.challenge).toContain(
      'scope="read write admin", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/clock/mcp"',
    );
    expect(refused.challenge?.includes("error=")).toBe(reason !== "token_missing");
  });

  test("the scheme's name may be in any letter case (RFC 9110 §11.1)", async () => {
    const { verifier, bearer } = await room();
    expect(await verifier.check(bearer().replace("Bearer", "bEARER"), clockUrl)).toMatchObject({ subject: testSub });
  });
});

describe("door two", () => {
  test.each([
    [{ holds: "no", reason: "grant_ended" } as const, 401],
    [{ holds: "no", reason: "grant_superseded_by_epoch" } as const, 401],
    [{ holds: "unknown", reason: "provider_unavailable" } as const, 503],
    [{ holds: "unknown", reason: "store_unavailable" } as const, 503],
  ])("%j: %i, fresh or cached", async (judgement, status) => {
    const { verifier, bearer, door } = await room();
    const token = bearer();
    const good = door.judgement;
    door.judgement = judgement;
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({ status, reason: judgement.reason });
    expect(await refusal(() => verifier.check(token, clockUrl))).toMatchObject({ status, reason: judgement.reason });
    door.judgement = good;
    expect(verifier.check(token, clockUrl)).toMatchObject({ subject: testSub });
  });
});

describe("a request that is still running", () => {
  test("is judged by its grant for an hour after its token's end", async () => {
    const { verifier, bearer, door, clock } = await room();
    const principal = await verifier.check(bearer(), clockUrl);
    clock.advance(600_000 + 3_600_000);
    expect(await verifier.recheck(principal)).toEqual(principal);
    clock.advance(1);
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 401, reason: "token_expired" });
    expect(door.asked.at(-1)).toBe("grant-1");
  });

  test("asks afresh: what is remembered of the grant may be an interval old", async () => {
    const { verifier, bearer, door } = await room();
    const principal = await verifier.check(bearer(), clockUrl);
    const before = door.afresh;
    await verifier.recheck(principal);
    expect(door.afresh).toBe(before + 1);
  });

  test("ends with its grant; while nothing is known it is told so", async () => {
    const { verifier, bearer, door } = await room();
    const principal = await verifier.check(bearer(), clockUrl);
    door.judgement = { holds: "unknown", reason: "store_unavailable" };
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 503 });
    door.judgement = { holds: "no", reason: "grant_ended" };
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 401, reason: "grant_ended" });
  });

  test("ends with the key that signed its token; while the keys cannot be read it is told so", async () => {
    const { verifier, bearer, ring, newKeyring } = await room();
    const principal = await verifier.recheck(await verifier.check(bearer(), clockUrl));
    ring.reread = () => Promise.reject(new StoreUnavailable("down"));
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 503 });
    const other = await newKeyring();
    ring.reread = async () => {
      ring.current = other;
    };
    const refused = await refusal(() => verifier.recheck(principal));
    expect(refused).toMatchObject({ status: 401, reason: "token_signature_invalid" });
  });

  test("gets what the groups give now", async () => {
    const { verifier, bearer, door, grant } = await room();
    const principal = await verifier.check(bearer(), clockUrl);
    const upstream = grant.upstream;
    if (upstream?.kind !== "cognito_session") throw new Error("no session");
    const identity = { ...upstream.identity, groups: ["readers"] };
    door.judgement = { holds: "yes", grantId: "grant-1", grant: { ...grant, upstream: { ...upstream, identity } } };
    expect((await verifier.recheck(principal)).scopes).toEqual(["read"]);
  });
});

test.each([
  ["cognito_client", { kind: "cognito_client", clientId: "robot", until: 1e15 }],
  ["registered_key", { kind: "registered_key", clientId: "robot" }],
] as const)("a machine behind whose grant is %s has what is configured for it", async (_, upstream) => {
  const { verifier, bearer, door, grant } = await room();
  const machine = { ...grant, principal: "machine", clientId: "robot", upstream } as const;
  door.judgement = { holds: "yes", grantId: "grant-1", grant: machine };
  const claims = { sub: "robot", client_id: "robot", scope: "read", principal: "machine" } as const;
  expect(await verifier.check(bearer(claims), clockUrl)).toMatchObject({
    kind: "machine",
    subject: "robot",
    scopes: ["read"],
    entitled: ["read", "write"],
    groups: [],
    doors: { token: true, grant: true },
  });
  const another = await refusal(() => verifier.check(bearer({ ...claims, sub: "other" }), clockUrl));
  expect(another).toMatchObject({ status: 401, reason: "grant_user_mismatch" });
});

describe("an access token that Cognito issued to a machine", () => {
  const jwt = `Bearer ${[{ alg: "RS256", kid: "x" }, {}].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.AAAA`;
  const good = (now: number): ProviderAccessToken => ({
    clientId: "robot",
    sub: "robot",
    groups: [],
    scopes: ["write"],
    expiresAt: Math.floor(now / 1000) + 3600,
  });

  test("passes door one alone, with the scopes that are mapped to the resource", async () => {
    const { verifier, cognito, clock, door } = await room();
    cognito.answer = async () => good(clock.now());
    const principal = await verifier.check(jwt, clockUrl);
    expect(principal).toMatchObject({
      kind: "machine",
      subject: "robot",
      clientId: "robot",
      scopes: ["read", "write"],
      doors: { token: true, grant: false },
    });
    expect(principal).not.toHaveProperty("grantId");
    expect(door.asked).toEqual([]);
    clock.advance(3_599_999);
    expect(await verifier.recheck(principal)).toEqual(principal);
    clock.advance(1);
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ reason: "token_expired" });
  });

  test.each<[string, Partial<ProviderAccessToken>, string, string]>([
    ["of a user", { username: "alice" }, clockUrl, "token_type_invalid"],
    ["with another subject than its client", { sub: testSub }, clockUrl, "token_type_invalid"],
    ["of a client that is not configured", { clientId: "other", sub: "other" }, clockUrl, "machine_unknown"],
    [
      "of a client named as a member of every object",
      { clientId: "constructor", sub: "constructor" },
      clockUrl,
      "machine_unknown",
    ],
    ["of a machine with keys of its own", { clientId: "signer", sub: "signer" }, clockUrl, "machine_unknown"],
    ["for another audience", { audience: notesUrl }, clockUrl, "token_audience_mismatch"],
    [
      "with scopes that mean nothing here",
      { scopes: ["aws.cognito.signin.user.admin"] },
      clockUrl,
      "token_scope_unmapped",
    ],
    ["at a resource that is not the machine's", {}, notesUrl, "token_scope_unmapped"],
    ["that has ended", { expiresAt: 1 }, clockUrl, "token_expired"],
  ])("%s is refused", async (_, more, resource, reason) => {
    const { verifier, cognito, clock } = await room();
    cognito.answer = async () => ({ ...good(clock.now()), ...more });
    expect(await refusal(() => verifier.check(jwt, resource))).toMatchObject({ status: 401, reason });
  });

  test.each([
    ["invalid_response", 401, "token_signature_invalid"],
    ["unavailable", 503, "provider_unavailable"],
    ["misconfigured", 503, "provider_unavailable"],
  ] as const)("that cannot be verified (%s): %i", async (failure, status, reason) => {
    const { verifier, cognito } = await room();
    cognito.answer = () => Promise.reject(new IdentityProviderError(failure, "no"));
    expect(await refusal(() => verifier.check(jwt, clockUrl))).toMatchObject({ status, reason });
  });
});

describe("settings that change", () => {
  const granting = (groups: Record<string, string[]>, more: Partial<Parameters<typeof scopeCatalog>[0]> = {}) =>
    scopeCatalog({
      scopes: { read: scope(), write: scope(["read"]), admin: scope(["write"]) },
      groups,
      machines,
      resources: paths,
      ...more,
    });

  test("count from the next check on, and for what is open, with no signature checked again", async () => {
    const { verifier, bearer, at, ring } = await room();
    const token = bearer();
    const before = await verifier.check(token, clockUrl);
    at.settings = { ...at.settings, scopes: granting({ writers: ["read"] }) };
    const after = verifier.check(token, clockUrl);
    expect(after).toMatchObject({ scopes: ["read"], entitled: ["read"] });
    expect(verifier.check(token, clockUrl)).toBe(after);
    expect(ring.finds).toBe(1);
    expect(await verifier.recheck(before)).toMatchObject({ scopes: ["read"] });
  });

  test("a client that is gone is refused; what it may have now bounds its token", async () => {
    const { verifier, bearer, at } = await room();
    const token = bearer();
    const principal = await verifier.check(token, clockUrl);
    const { client } = at.settings.clients;
    if (!client) throw new Error("no client");
    at.settings = { ...at.settings, clients: { client: { ...client, scopes: ["read"] } } };
    expect(verifier.check(token, clockUrl)).toMatchObject({ scopes: ["read"], entitled: ["read"] });
    at.settings = { ...at.settings, clients: {} };
    for (const work of [() => verifier.check(token, clockUrl), () => verifier.recheck(principal)]) {
      expect(await refusal(work)).toMatchObject({ status: 401, reason: "client_unknown" });
    }
  });

  test("a resource that is gone is permitted to nobody who holds a stream there", async () => {
    const { verifier, bearer, at } = await room();
    const principal = await verifier.check(bearer(), clockUrl);
    at.settings = { ...at.settings, resources: resourceCatalog("https://mcp.example", [], () => [], undefined) };
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 403, reason: "not_permitted" });
  });

  test("a machine with a token of Cognito's that holds a stream keeps what it still has, and nothing else", async () => {
    const { verifier, at, cognito, clock } = await room();
    const expiresAt = Math.floor(clock.now() / 1000) + 3600;
    cognito.answer = async () => ({ clientId: "robot", sub: "robot", groups: [], scopes: ["write"], expiresAt });
    const header = Buffer.from(JSON.stringify({ alg: "RS256", kid: "x" })).toString("base64url");
    const principal = await verifier.check(`Bearer ${header}.e30.AAAA`, clockUrl);
    expect(principal.scopes).toEqual(["read", "write"]);
    const robot = { scopes: ["read"], resources: ["/clock/mcp"] };
    at.settings = { ...at.settings, scopes: granting({}, { machines: { robot } }) };
    expect(await verifier.recheck(principal)).toMatchObject({ scopes: ["read"], entitled: ["read"] });
    at.settings = { ...at.settings, machines: {} };
    expect(await refusal(() => verifier.recheck(principal))).toMatchObject({ status: 401, reason: "machine_unknown" });
  });
});
