import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  clientId,
  clientSecret,
  type HostilePool,
  hostilePool,
  poolId,
  type Reply,
  stoppedClock,
  user,
} from "../../../test/identity/hostile-pool.ts";
import { createLogger } from "../../runtime/index.ts";
import {
  type CognitoProviderOptions,
  cognitoProvider,
  type IdentityProvider,
  IdentityProviderError,
} from "../index.ts";

const clock = stoppedClock();
const redirectUri = "https://mcp.example.com/auth/callback";
const basic = `Basic ${btoa(`${clientId}:${clientSecret}`)}`;
let pool: HostilePool;
let provider: IdentityProvider;
let log: string[];

const make = (change: Partial<CognitoProviderOptions> = {}): IdentityProvider =>
  cognitoProvider({
    userPoolId: poolId,
    clientId,
    clientSecret,
    domain: pool.url,
    endpoint: pool.url,
    fetch,
    clock,
    logger: createLogger({ level: "debug", write: (line) => log.push(line) }),
    timeoutMs: 2_000,
    ...change,
  });

beforeAll(async () => {
  pool = await hostilePool(clock);
});
afterAll(() => pool.close());
beforeEach(() => {
  for (const route of ["discovery", "jwks", "token", "revoke", "userInfo"] as const) {
    pool.restore(route);
    pool.received[route].length = 0;
  }
  pool.publish([pool.keys.id.jwk, pool.keys.access.jwk]);
  log = [];
  provider = make();
});

const signIn = (change: { callback?: string; nonce?: string } = {}) =>
  provider.exchangeCode({
    callbackUrl: new URL(change.callback ?? `${redirectUri}?code=the-code&state=the-state`),
    redirectUri,
    state: "the-state",
    nonce: change.nonce ?? "the-nonce",
    codeVerifier: "the-verifier",
  });
const renew = () => provider.refresh({ refreshToken: "the-refresh-token", sub: user });
const machine = (scopes: readonly string[] = []) =>
  provider.clientCredentials({ clientId: "machine1", clientSecret: "machine1secret", scopes });

async function tokens(change: { id?: string; access?: string; more?: Record<string, unknown> } = {}): Promise<void> {
  const body = {
    id_token: change.id ?? (await pool.idToken()),
    access_token: change.access ?? (await pool.accessToken()),
    token_type: "Bearer",
    expires_in: 3600,
    ...change.more,
  };
  pool.answer("token", { body });
}

async function failure(work: Promise<unknown>): Promise<IdentityProviderError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof IdentityProviderError)) throw new Error("no IdentityProviderError", { cause: error });
  return error;
}

describe("sign-in", () => {
  test("redeems the code with PKCE and the client's secret, and builds the identity from both tokens", async () => {
    const id = await pool.idToken({ "custom:tenant": "acme", given_name: "Ada", at_hash: "x", "cognito:roles": ["r"] });
    await tokens({ id, more: { refresh_token: "given" } });
    expect(await signIn()).toEqual({
      identity: {
        sub: user,
        username: "ada",
        groups: ["readers", "writers"],
        email: "ada@example.com",
        emailVerified: true,
        claims: { "custom:tenant": "acme", given_name: "Ada" },
      },
      refreshToken: "given",
      accessToken: { token: expect.stringMatching(/^ey/), expiresAt: (Math.floor(clock.now() / 1000) + 3600) * 1000 },
      authTime: Math.floor(clock.now() / 1000) - 10,
    });
    const [request] = pool.received.token;
    expect(request?.authorization).toBe(basic);
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      grant_type: "authorization_code",
      code: "the-code",
      redirect_uri: redirectUri,
      code_verifier: "the-verifier",
    });
  });

  test("a public app client sends its id and no secret", async () => {
    provider = make({ clientSecret: null });
    await tokens();
    await signIn();
    const [request] = pool.received.token;
    expect(request?.authorization).toBeUndefined();
    expect(request?.form.get("client_id")).toBe(clientId);
  });

  test("no groups in the access token: those of the ID token; in neither: none", async () => {
    const access = await pool.accessToken({ "cognito:groups": undefined });
    await tokens({ access });
    expect((await signIn()).identity.groups).toEqual(["readers"]);
    await tokens({ access, id: await pool.idToken({ "cognito:groups": undefined }) });
    expect((await signIn()).identity.groups).toEqual([]);
  });

  test("email_verified as a string is read as what it says", async () => {
    await tokens({ id: await pool.idToken({ email_verified: "false" }) });
    expect((await signIn()).identity.emailVerified).toBe(false);
  });

  test.each([
    ["another state", `${redirectUri}?code=c&state=other`],
    ["no state", `${redirectUri}?code=c`],
    ["no code", `${redirectUri}?state=the-state`],
    ["two codes", `${redirectUri}?code=c&code=d&state=the-state`],
    ["an error", `${redirectUri}?error=access_denied&state=the-state`],
    ["the issuer of someone else", `${redirectUri}?code=c&state=the-state&iss=https%3A%2F%2Fevil.example`],
  ])("a callback with %s is not redeemed", async (_name, callback) => {
    await tokens();
    expect((await failure(signIn({ callback }))).failure).toBe("invalid_response");
    expect(pool.received.token).toEqual([]);
  });

  test("nothing is asked at start, and discovery and keys are asked once for many", async () => {
    expect(pool.received.discovery).toEqual([]);
    await tokens();
    await Promise.all([signIn(), signIn(), signIn()]);
    await signIn();
    expect(pool.received.discovery).toHaveLength(1);
    expect(pool.received.jwks).toHaveLength(1);
  });
});

describe("tokens that do not verify are an invalid response", () => {
  const hs256 = (claims: Record<string, unknown>, kid: string) =>
    // The public key as an HMAC secret: the classic confusion.
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid })
      .sign(new TextEncoder().encode(JSON.stringify(pool.keys.id.jwk)));
  const past = () => Math.floor(clock.now() / 1000) - 61;
  const future = () => Math.floor(clock.now() / 1000) + 61;

  test.each<[string, () => Promise<string>]>([
    ["another nonce", () => pool.idToken({ nonce: "other" })],
    ["no nonce", () => pool.idToken({ nonce: undefined })],
    ["another audience", () => pool.idToken({ aud: "other" })],
    ["an audience beside us", () => pool.idToken({ aud: [clientId, "other"] })],
    ["no audience", () => pool.idToken({ aud: undefined })],
    ["the use of an access token", () => pool.idToken({ token_use: "access" })],
    ["no use", () => pool.idToken({ token_use: undefined })],
    [
      "another issuer",
      () => pool.idToken({ iss: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other" }),
    ],
    ["an end in the past", () => pool.idToken({ exp: past() })],
    ["no end", () => pool.idToken({ exp: undefined })],
    ["an end that is no number", () => pool.idToken({ exp: "tomorrow" })],
    ["a start in the future", () => pool.idToken({ nbf: future() })],
    ["no subject", () => pool.idToken({ sub: undefined })],
    ["another subject than the access token", () => pool.idToken({ sub: "other" })],
    ["groups that are no list", () => pool.idToken({ "cognito:groups": "admins" })],
    ["a foreign key with a known kid", () => pool.sign(pool.idClaims(), pool.keys.foreign)],
    ["an unknown kid", () => pool.sign(pool.idClaims(), pool.keys.id, { kid: "unknown" })],
    ["no kid", () => pool.sign(pool.idClaims(), pool.keys.id, { kid: null })],
    ["no signature", async () => new UnsecuredJWT(pool.idClaims()).encode()],
    ["HS256", () => hs256(pool.idClaims(), pool.keys.id.kid)],
    ["no form of a token", async () => "not a token"],
  ])("ID token with %s", async (_name, id) => {
    await tokens({ id: await id() });
    const error = await failure(signIn());
    expect(error.failure).toBe("invalid_response");
    expect(error.message).toMatch(/ID token|subject/);
  });

  test.each<[string, () => Promise<string>]>([
    ["another client", () => pool.accessToken({ client_id: "other" })],
    ["no client", () => pool.accessToken({ client_id: undefined })],
    ["the use of an ID token", () => pool.accessToken({ token_use: "id" })],
    ["another issuer", () => pool.accessToken({ iss: "https://evil.example/eu-central-1_Test00001" })],
    ["an end in the past", () => pool.accessToken({ exp: past() })],
    ["no end", () => pool.accessToken({ exp: undefined })],
    ["another subject", () => pool.accessToken({ sub: "other" })],
    ["a foreign key", () => pool.sign(pool.accessClaims(), pool.keys.foreign)],
    ["an ID token in its place", () => pool.idToken()],
  ])("access token with %s", async (_name, access) => {
    await tokens({ access: await access() });
    expect((await failure(signIn())).failure).toBe("invalid_response");
  });

  test.each(["RS512", "PS256"])("%s, though the key would do for it", async (alg) => {
    const { alg: _alg, ...jwk } = pool.keys.id.jwk;
    pool.publish([jwk, pool.keys.access.jwk]);
    await tokens({ id: await pool.sign(pool.idClaims(), pool.keys.id, { alg }) });
    expect((await failure(signIn())).failure).toBe("invalid_response");
    await tokens();
    await expect(signIn()).resolves.toBeDefined();
  });

  test("a minute of difference between the clocks is borne", async () => {
    const seconds = Math.floor(clock.now() / 1000);
    await tokens({ id: await pool.idToken({ exp: seconds - 59, nbf: seconds + 59 }) });
    await expect(signIn()).resolves.toBeDefined();
  });

  test("no auth_time in either token", async () => {
    const none = { auth_time: undefined };
    await tokens({ id: await pool.idToken(none), access: await pool.accessToken(none) });
    expect((await failure(signIn())).message).toContain("auth_time");
  });

  test("no ID token", async () => {
    await tokens({ more: { id_token: undefined } });
    expect((await failure(signIn())).failure).toBe("invalid_response");
  });
});

describe("renewal", () => {
  test("keeps the refresh token that was sent unless there is a new one; a nonce is not needed", async () => {
    await tokens({ id: await pool.idToken({ nonce: undefined }) });
    expect((await renew()).refreshToken).toBe("the-refresh-token");
    await tokens({ more: { refresh_token: "rotated" } });
    expect((await renew()).refreshToken).toBe("rotated");
    expect(Object.fromEntries(pool.received.token[0]?.form ?? [])).toEqual({
      grant_type: "refresh_token",
      refresh_token: "the-refresh-token",
    });
    expect(pool.received.token[0]?.authorization).toBe(basic);
  });

  test("with another subject in both tokens is an invalid response", async () => {
    await tokens({ id: await pool.idToken({ sub: "other" }), access: await pool.accessToken({ sub: "other" }) });
    expect((await failure(renew())).failure).toBe("invalid_response");
  });
});

describe("the authorization request", () => {
  const parameters = async (
    change: Partial<CognitoProviderOptions>,
    request: { prompt?: "login" | "select_account"; loginHint?: string } = {},
  ): Promise<Record<string, string>> => {
    const own = { redirectUri, state: "s", nonce: "n", codeChallenge: "c" };
    return Object.fromEntries((await make(change).authorizationUrl({ ...own, ...request })).searchParams);
  };
  const always = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "openid email profile",
    state: "s",
    nonce: "n",
    code_challenge: "c",
    code_challenge_method: "S256",
  };

  test("has nothing that nobody asked for", async () => {
    expect(await parameters({})).toEqual(always);
    expect(await parameters({ acrValues: [] })).toEqual(always);
  });

  test.each<[Partial<CognitoProviderOptions>, Record<string, string>]>([
    [{ identityProvider: "Okta" }, { identity_provider: "Okta" }],
    [{ idpIdentifier: "example.com" }, { idp_identifier: "example.com" }],
    [{ lang: "zh-CN" }, { lang: "zh-CN" }],
    [{ prompt: "select_account" }, { prompt: "select_account" }],
    [{ acrValues: ["urn:cognito:loa:2", "urn:cognito:loa:1"] }, { acr_values: "urn:cognito:loa:2 urn:cognito:loa:1" }],
    [{ resource: "https://mcp.example.com/mcp?x=1" }, { resource: "https://mcp.example.com/mcp?x=1" }],
    [{ scopes: ["openid", "mcp/read"] }, { scope: "openid mcp/read" }],
  ])("%j gives %j", async (change, given) => {
    expect(await parameters(change)).toEqual({ ...always, ...given });
  });

  test("has the client's own prompt before the configured one, and the client's hint", async () => {
    expect(await parameters({ prompt: "select_account" }, { prompt: "login" })).toMatchObject({ prompt: "login" });
    expect(await parameters({}, { loginHint: "ada@example.com" })).toMatchObject({ login_hint: "ada@example.com" });
  });
});

describe("a resource that tokens are bound to", () => {
  const resource = "https://mcp.example.com/mcp";
  const bound = async (aud: unknown) => {
    provider = make({ resource });
    await tokens({ access: await pool.accessToken({ aud }) });
  };

  test("is in the access token as it was asked for, at sign-in and at renewal", async () => {
    await bound(resource);
    await expect(signIn()).resolves.toBeDefined();
    await expect(renew()).resolves.toBeDefined();
  });

  test.each<[string, unknown]>([
    ["none: the tier binds no tokens", undefined],
    ["another", "https://other.example/mcp"],
    ["with a slash", `${resource}/`],
    ["one of several", [resource, "https://other.example/mcp"]],
    ["the app client", clientId],
  ])("%s is an invalid response", async (_name, aud) => {
    await bound(aud);
    for (const error of [await failure(signIn()), await failure(renew())]) {
      expect(error.failure).toBe("invalid_response");
      expect(error.message).toContain("aud");
    }
  });

  test("is nothing to ask for where none is configured", async () => {
    await tokens({ access: await pool.accessToken({ aud: "https://other.example/mcp" }) });
    await expect(signIn()).resolves.toBeDefined();
  });
});

describe("claims", () => {
  const more = { "custom:tenant": "acme", given_name: "Ada", acr: "urn:cognito:loa:2", "cognito:roles": ["r"] };
  const claimsOf = async (claims?: readonly string[]) => {
    provider = make({ claims });
    await tokens({ id: await pool.idToken(more), access: await pool.accessToken({ "custom:shift": "night" }) });
    return (await signIn()).identity.claims;
  };

  test("are the user's attributes in both tokens where none are listed", async () => {
    expect(await claimsOf()).toEqual({ "custom:tenant": "acme", given_name: "Ada", "custom:shift": "night" });
  });

  test.each<[readonly string[], Record<string, unknown>]>([
    [[], {}],
    [["custom:tenant"], { "custom:tenant": "acme" }],
    [["custom:shift", "custom:missing"], { "custom:shift": "night" }],
    [["acr", "cognito:roles"], { acr: "urn:cognito:loa:2", "cognito:roles": ["r"] }],
    [["constructor", "__proto__", "toString"], {}],
  ])("listed as %j are %j", async (names, claims) => {
    expect(await claimsOf(names)).toEqual(claims);
  });
});

describe("userInfo", () => {
  const answer = { sub: user, username: "ada", email: "info@example.com", email_verified: "true" };
  const ask = async (info: Reply | Record<string, unknown>, id: Record<string, unknown> = {}) => {
    provider = make({ userInfo: true });
    await tokens({ id: await pool.idToken(id) });
    pool.answer("userInfo", typeof info === "object" && "sub" in info ? { body: info } : (info as Reply));
  };

  test("is not asked unless that is configured", async () => {
    await tokens();
    await signIn();
    expect(pool.received.userInfo).toEqual([]);
  });

  test("is asked with the fresh access token, at sign-in and at each renewal", async () => {
    await ask(answer);
    await signIn();
    await renew();
    const access = await pool.accessToken();
    expect(pool.received.userInfo.map(({ authorization }) => authorization)).toEqual([
      `Bearer ${access}`,
      `Bearer ${access}`,
    ]);
  });

  test("fills in what the tokens lack, with booleans as booleans; the tokens win", async () => {
    const attributes = { "custom:tenant": "info", locale: "de", phone_number_verified: "false" };
    await ask({ ...answer, ...attributes, "cognito:groups": ["admins"] }, { "custom:tenant": "token" });
    const { identity } = await signIn();
    expect(identity).toMatchObject({ username: "ada", groups: ["readers", "writers"], email: "ada@example.com" });
    expect(identity.claims).toEqual({ "custom:tenant": "token", locale: "de", phone_number_verified: false });
  });

  test("gives the e-mail address, with whether it is verified, only where the ID token has none", async () => {
    await ask(answer, { email: undefined, email_verified: undefined });
    expect((await signIn()).identity).toMatchObject({ email: "info@example.com", emailVerified: true });
    await ask({ ...answer, email_verified: "false" }, { email: undefined, email_verified: true });
    expect((await signIn()).identity).toMatchObject({ email: "info@example.com", emailVerified: false });
    // Of the token's own address nothing is known: what userInfo says is about another.
    await ask(answer, { email_verified: undefined });
    const { identity } = await signIn();
    expect(identity).toMatchObject({ email: "ada@example.com" });
    expect(identity).not.toHaveProperty("emailVerified");
  });

  test("gives only what is listed", async () => {
    const roles = { "cognito:groups": ["admins"], "cognito:roles": ["admin"] };
    await ask({ ...answer, "custom:tenant": "info", locale: "de", ...roles });
    // What decides access comes from signed tokens or not at all.
    const claims = ["custom:tenant", "cognito:groups", "cognito:roles", "username"];
    provider = make({ userInfo: true, claims });
    expect((await signIn()).identity.claims).toEqual({
      "custom:tenant": "info",
      "cognito:groups": ["readers"],
      username: "ada",
    });
  });

  test.each<[string, Reply | Record<string, unknown>, IdentityProviderError["failure"]]>([
    ["another user", { ...answer, sub: "other" }, "invalid_response"],
    ["no user", { body: { email: "x@example.com" } }, "invalid_response"],
    ["no JSON", { body: "<h1>" }, "invalid_response"],
    ["a list", { body: [answer] }, "invalid_response"],
    ["a verified that is neither", { ...answer, email_verified: "perhaps" }, "invalid_response"],
    ["401", { status: 401, headers: { "www-authenticate": 'error="invalid_token"' } }, "refused"],
    ["400", { status: 400 }, "invalid_response"],
    ["a redirect", { status: 302, headers: { location: "/oauth2/token" } }, "invalid_response"],
    ["429", { status: 429 }, "unavailable"],
    ["503", { status: 503 }, "unavailable"],
    ["a cut connection", "reset", "unavailable"],
    ["more than 1 MiB", { ...answer, padding: "x".repeat(1024 * 1024) }, "invalid_response"],
  ])("that answers %s", async (_name, info, expected) => {
    await ask(info);
    for (const error of [await failure(signIn()), await failure(renew())]) {
      expect(error.failure).toBe(expected);
      expect(error.message).not.toMatch(/eyJ|ada@|x@example|<h1>/);
    }
  });

  test("a rotated refresh token is handed over before userInfo is asked, and the answer has it too", async () => {
    const order: string[] = [];
    await ask(answer);
    await tokens({ more: { refresh_token: "rotated" } });
    pool.answer("userInfo", () => {
      order.push("userInfo");
      return { status: 503 };
    });
    const keepRotated = async (token: string) => void order.push(token);
    const request = { refreshToken: "the-refresh-token", sub: user, keepRotated };
    expect((await failure(provider.refresh(request))).failure).toBe("unavailable");
    expect(order).toEqual(["rotated", "userInfo"]);
    pool.restore("userInfo");
    expect((await provider.refresh(request)).refreshToken).toBe("rotated");
  });

  test("a token that is not of this user is not handed over", async () => {
    const kept: string[] = [];
    await ask(answer);
    await tokens({ id: await pool.idToken({ sub: "other" }), more: { refresh_token: "rotated" } });
    const keepRotated = async (token: string) => void kept.push(token);
    await failure(provider.refresh({ refreshToken: "the-refresh-token", sub: user, keepRotated }));
    expect(kept).toEqual([]);
  });

  test("has, at a renewal, what the refresh left of the time for one request", async () => {
    await ask("hang");
    const { body } = { body: { id_token: await pool.idToken(), access_token: await pool.accessToken() } };
    pool.answer("token", () => {
      clock.advance(1_900);
      return { body: { ...body, token_type: "Bearer" } };
    });
    expect((await failure(renew())).message).toContain("userInfo gave no answer within 100 ms");
    pool.answer("token", () => {
      clock.advance(5_000);
      return { body: { ...body, token_type: "Bearer" } };
    });
    expect((await failure(renew())).message).toContain("within 0 ms");
  }, 1_500);
});

describe("the machine's grant", () => {
  test("is asked for with the machine's own credentials; scopes and end come from the token", async () => {
    const exp = Math.floor(clock.now() / 1000) + 300;
    pool.answer("token", {
      body: { access_token: await pool.machineToken({ exp }), token_type: "Bearer", expires_in: 9 },
    });
    expect(await machine(["mcp/read", "mcp/write"])).toEqual({
      scopes: ["mcp/read", "mcp/write"],
      expiresAt: exp * 1000,
    });
    expect(pool.received.token[0]?.authorization).toBe(`Basic ${btoa("machine1:machine1secret")}`);
    expect(pool.received.token[0]?.form.get("scope")).toBe("mcp/read mcp/write");
    await machine();
    expect(pool.received.token[1]?.form.has("scope")).toBe(false);
  });

  test.each<[string, () => Promise<string>]>([
    ["another client's", () => pool.machineToken({ client_id: "machine2", sub: "machine2" })],
    ["an ID token", () => pool.idToken()],
    ["an expired one", () => pool.machineToken({ exp: 1 })],
  ])("%s in the answer is an invalid response", async (_name, token) => {
    pool.answer("token", { body: { access_token: await token(), token_type: "Bearer" } });
    expect((await failure(machine())).failure).toBe("invalid_response");
  });

  test.each([
    ["machine1", "a_b-c.d~e", "machine1:a_b-c.d%7Ee"],
    ["machine1", "a+b:c%é", "machine1:a%2Bb%3Ac%25%C3%A9"],
  ])("%s and %s are form-encoded only where they must be", async (id, secret, credentials) => {
    pool.answer("token", { status: 400, body: { error: "invalid_client" } });
    await failure(provider.clientCredentials({ clientId: id, clientSecret: secret, scopes: [] }));
    expect(pool.received.token[0]?.authorization).toBe(`Basic ${btoa(credentials)}`);
  });

  test("an empty id or secret is refused and nobody is asked", async () => {
    const empty = { clientId: "machine1", clientSecret: "", scopes: [] };
    expect((await failure(provider.clientCredentials(empty))).failure).toBe("refused");
    expect((await failure(provider.clientCredentials({ ...empty, clientId: "", clientSecret: "x" }))).failure).toBe(
      "refused",
    );
    expect(pool.received.token).toEqual([]);
  });
});

test.each<[string, () => Promise<unknown>]>([
  ["a code", () => signIn()],
  ["a refresh token", () => renew()],
  ["a machine's secret", () => machine()],
])("%s is not sent while the answer could not be checked", async (_name, work) => {
  pool.answer("jwks", { status: 503 });
  expect((await failure(work())).failure).toBe("unavailable");
  expect(pool.received.token).toEqual([]);
});

describe("what the token endpoint answers", () => {
  const html = { headers: { "content-type": "text/html" }, body: "<h1>An error was encountered</h1>" };
  const body = (error: string) => ({ status: 400, body: { error, error_description: "the-secret-text" } });
  const long = "x".repeat(65);

  test.each<[string, Reply, IdentityProviderError["failure"], IdentityProviderError["failure"], string | undefined]>([
    ["invalid_grant", body("invalid_grant"), "refused", "refused", "invalid_grant"],
    ["invalid_client", body("invalid_client"), "misconfigured", "refused", "invalid_client"],
    ["401 invalid_client", { ...body("invalid_client"), status: 401 }, "misconfigured", "refused", "invalid_client"],
    ["unauthorized_client", body("unauthorized_client"), "misconfigured", "refused", "unauthorized_client"],
    ["invalid_scope", body("invalid_scope"), "invalid_response", "refused", "invalid_scope"],
    ["invalid_request", body("invalid_request"), "invalid_response", "invalid_response", "invalid_request"],
    [
      "temporarily_unavailable",
      body("temporarily_unavailable"),
      "unavailable",
      "unavailable",
      "temporarily_unavailable",
    ],
    ["429", { status: 429, body: { error: "invalid_grant" } }, "unavailable", "unavailable", undefined],
    ["500", { status: 500 }, "unavailable", "unavailable", undefined],
    ["503 invalid_grant", { status: 503, body: { error: "invalid_grant" } }, "unavailable", "unavailable", undefined],
    ["a firewall's 403", { ...html, status: 403 }, "unavailable", "unavailable", undefined],
    ["400 in HTML", { ...html, status: 400 }, "invalid_response", "invalid_response", undefined],
    ["200 in HTML", html, "invalid_response", "invalid_response", undefined],
    ["200 cut off", { body: '{"access_token":"x' }, "invalid_response", "invalid_response", undefined],
    ["200 without tokens", { body: { token_type: "Bearer" } }, "invalid_response", "invalid_response", undefined],
    ["400 with null", { status: 400, body: "null" }, "invalid_response", "invalid_response", undefined],
    ["a code with a line break", body("invalid\ngrant"), "invalid_response", "invalid_response", undefined],
    ["a code too long", body(long), "invalid_response", "invalid_response", undefined],
    [
      "a redirect",
      { ...body("invalid_grant"), status: 307, headers: { location: "/oauth2/revoke" } },
      "invalid_response",
      "invalid_response",
      undefined,
    ],
    ["a cut connection", "reset", "unavailable", "unavailable", undefined],
  ])("%s", async (_name, reply, forUs, forMachine, code) => {
    pool.answer("token", reply);
    const errors = [await failure(signIn()), await failure(renew()), await failure(machine())];
    expect(errors.map((error) => error.failure)).toEqual([forUs, forUs, forMachine]);
    for (const error of errors) {
      expect(error.providerCode).toBe(code);
      expect(error.cause).toBeUndefined();
      expect(error.message).not.toMatch(/the-|secret|<h1>|\n|x{65}/);
    }
    expect(pool.received.revoke, "no redirect is followed").toEqual([]);
  });

  test("tokens of another type are an invalid response, good as they may be", async () => {
    await tokens({ more: { token_type: "DPoP" } });
    expect((await failure(signIn())).message).toContain("wrong token_type");
  });

  test("more than 1 MiB is not read, good as it may be", async () => {
    await tokens({ more: { padding: "x".repeat(1024 * 1024) } });
    expect((await failure(signIn())).message).toContain("more than 1 MiB");
  });

  test.each<[string, Reply]>([
    ["nothing", "hang"],
    ["half of a body", "hang in the body"],
  ])(
    "%s within the time limit is unavailable",
    async (_name, reply) => {
      provider = make({ timeoutMs: 100 });
      pool.answer("token", reply);
      const error = await failure(renew());
      expect(error.failure).toBe("unavailable");
      expect(error.message).toContain("no answer within 100 ms");
    },
    1_500,
  );

  test("no server is unavailable", async () => {
    await tokens();
    await signIn();
    const closed = await hostilePool(clock);
    await closed.close();
    const gone = make({ domain: closed.url });
    expect(await failure(gone.refresh({ refreshToken: "r", sub: user }))).toMatchObject({
      failure: "unavailable",
      message: `POST ${closed.url}/oauth2/token failed: ECONNREFUSED`,
    });
  });
});

describe("revocation", () => {
  test("sends the token with the client's secret; 200 is done, and discovery is not needed", async () => {
    pool.answer("discovery", { status: 500 });
    await provider.revoke("the-refresh-token");
    expect(pool.received.revoke[0]?.authorization).toBe(basic);
    expect(Object.fromEntries(pool.received.revoke[0]?.form ?? [])).toEqual({ token: "the-refresh-token" });
  });

  test.each<[Reply, IdentityProviderError["failure"]]>([
    [{ status: 401, headers: { "www-authenticate": "Basic" }, body: { error: "invalid_client" } }, "misconfigured"],
    [{ status: 400, body: { error: "unsupported_token_type" } }, "invalid_response"],
    [{ status: 502 }, "unavailable"],
    ["reset", "unavailable"],
  ])("%o", async (reply, expected) => {
    pool.answer("revoke", reply);
    expect((await failure(provider.revoke("the-refresh-token"))).failure).toBe(expected);
  });
});

describe("an access token of the pool", () => {
  test("of a machine", async () => {
    const exp = Math.floor(clock.now() / 1000) + 60;
    expect(await provider.verifyAccessToken(await pool.machineToken({ exp }))).toEqual({
      clientId: "machine1",
      sub: "machine1",
      groups: [],
      scopes: ["mcp/read", "mcp/write"],
      expiresAt: exp,
    });
  });

  test("of a user, bound to a resource", async () => {
    const token = await pool.accessToken({ aud: "https://mcp.example.com/mcp" });
    expect(await provider.verifyAccessToken(token)).toMatchObject({
      username: "ada",
      groups: ["readers", "writers"],
      audience: "https://mcp.example.com/mcp",
    });
  });

  test.each<[string, () => Promise<string>]>([
    ["an ID token", () => pool.idToken()],
    ["an expired one", () => pool.accessToken({ exp: 1 })],
    ["one with a list of audiences", () => pool.accessToken({ aud: ["https://mcp.example.com/mcp"] })],
    ["nonsense", async () => "x"],
    ["nothing", async () => ""],
  ])("%s is an invalid response", async (_name, token) => {
    expect((await failure(provider.verifyAccessToken(await token()))).failure).toBe("invalid_response");
  });
});

describe("the pool's keys", () => {
  test("200 tokens with unknown keys make one request in 30 seconds at most", async () => {
    const good = await pool.accessToken();
    await provider.verifyAccessToken(good);
    const flood = async () => {
      const forged = await Promise.all(
        Array.from({ length: 200 }, (_, n) => pool.sign(pool.accessClaims(), pool.keys.foreign, { kid: `k${n}` })),
      );
      const failures = await Promise.all(forged.map((token) => failure(provider.verifyAccessToken(token))));
      expect(new Set(failures.map((error) => error.failure))).toEqual(new Set(["invalid_response"]));
    };
    await flood();
    expect(pool.received.jwks).toHaveLength(1);
    clock.advance(30_001);
    await flood();
    await flood();
    expect(pool.received.jwks).toHaveLength(2);
    await provider.verifyAccessToken(good);
  });

  test("a new key is found as soon as a token names it", async () => {
    await provider.verifyAccessToken(await pool.accessToken());
    clock.advance(30_001);
    const renewed = { ...pool.keys.foreign, kid: "renewed" };
    pool.publish([{ ...pool.keys.foreign.jwk, kid: "renewed" }]);
    await expect(provider.verifyAccessToken(await pool.sign(pool.accessClaims(), renewed))).resolves.toBeDefined();
  });

  test("a token that names no key is refused, even where there is one key only", async () => {
    pool.publish([pool.keys.access.jwk]);
    const token = await pool.sign(pool.accessClaims(), pool.keys.access, { kid: null });
    expect((await failure(provider.verifyAccessToken(token))).failure).toBe("invalid_response");
  });

  test("a withdrawn key is good for 10 minutes at most", async () => {
    const token = await pool.accessToken();
    await provider.verifyAccessToken(token);
    pool.publish([pool.keys.id.jwk]);
    clock.advance(600_000);
    expect((await failure(provider.verifyAccessToken(token))).failure).toBe("invalid_response");
  });

  test("an outage is borne for an hour with the keys at hand, then it is unavailable", async () => {
    await provider.verifyAccessToken(await pool.accessToken());
    pool.answer("jwks", { status: 500 });
    pool.answer("discovery", { status: 500 });
    clock.advance(3_599_000);
    await provider.verifyAccessToken(await pool.accessToken());
    clock.advance(6_000);
    expect((await failure(provider.verifyAccessToken(await pool.accessToken()))).failure).toBe("unavailable");
  });

  test("whether an unknown key is good cannot be told while the keys cannot be fetched", async () => {
    await provider.verifyAccessToken(await pool.accessToken());
    clock.advance(30_001);
    pool.answer("jwks", { status: 500 });
    const unknown = await pool.sign(pool.accessClaims(), pool.keys.foreign, { kid: "unknown" });
    expect((await failure(provider.verifyAccessToken(unknown))).failure).toBe("unavailable");
    expect((await failure(provider.verifyAccessToken(unknown))).failure).toBe("unavailable");
    await provider.verifyAccessToken(await pool.accessToken());
    expect(pool.received.jwks).toHaveLength(2);
  });

  test.each<[string, Reply]>([
    ["500", { status: 500 }],
    ["404", { status: 404 }],
    ["HTML", { body: "<h1>" }],
    ["no keys", { body: { keys: [] } }],
    ["a redirect", { status: 302, headers: { location: "/oauth2/token" } }],
    ["a cut connection", "reset"],
  ])("%s instead of keys is unavailable, asked again after 5 seconds", async (_name, reply) => {
    const token = await pool.accessToken();
    pool.answer("jwks", reply);
    expect((await failure(provider.verifyAccessToken(token))).failure).toBe("unavailable");
    expect((await failure(provider.verifyAccessToken(token))).failure).toBe("unavailable");
    expect(pool.received.jwks).toHaveLength(1);
    pool.restore("jwks");
    clock.advance(5_000);
    await expect(provider.verifyAccessToken(await pool.accessToken())).resolves.toBeDefined();
  });
});

describe("discovery", () => {
  const aws = "https://cognito-idp.eu-central-1.amazonaws.com";
  const jwks = () => `${pool.issuer}/.well-known/jwks.json`;

  test.each([aws, "https://issuer-cognito-idp.eu-central-1.amazonaws.com"])(
    "the issuer on %s is taken as it is",
    async (host) => {
      const iss = `${host}/${poolId}`;
      pool.answer("discovery", { body: { issuer: iss, jwks_uri: jwks() } });
      await expect(provider.verifyAccessToken(await pool.accessToken({ iss }))).resolves.toBeDefined();
      expect((await failure(provider.verifyAccessToken(await pool.accessToken()))).failure).toBe("invalid_response");
    },
  );

  test.each<[string, () => Reply, IdentityProviderError["failure"]]>([
    ["another pool", () => ({ body: { issuer: `${aws}/eu-central-1_Other`, jwks_uri: jwks() } }), "misconfigured"],
    ["another host", () => ({ body: { issuer: `https://evil.example/${poolId}`, jwks_uri: jwks() } }), "misconfigured"],
    [
      "a host that looks like it",
      () => ({ body: { issuer: `${aws}.evil.example/${poolId}`, jwks_uri: jwks() } }),
      "misconfigured",
    ],
    [
      "another region",
      () => ({ body: { issuer: `https://cognito-idp.us-east-1.amazonaws.com/${poolId}`, jwks_uri: jwks() } }),
      "misconfigured",
    ],
    ["another port", () => ({ body: { issuer: `${aws}:8443/${poolId}`, jwks_uri: jwks() } }), "misconfigured"],
    [
      "plain http",
      () => ({ body: { issuer: `${aws.replace("https", "http")}/${poolId}`, jwks_uri: jwks() } }),
      "misconfigured",
    ],
    [
      "keys elsewhere",
      () => ({ body: { issuer: pool.issuer, jwks_uri: "https://evil.example/jwks.json" } }),
      "misconfigured",
    ],
    ["no such pool", () => ({ status: 400, body: { message: "User pool does not exist." } }), "misconfigured"],
    ["no JSON", () => ({ body: "<h1>" }), "unavailable"],
    ["no issuer", () => ({ body: { jwks_uri: jwks() } }), "unavailable"],
    ["throttling", () => ({ status: 429 }), "unavailable"],
    ["a redirect", () => ({ status: 302, headers: { location: "/oauth2/token" } }), "unavailable"],
    ["a cut connection", () => "reset", "unavailable"],
  ])("with %s is no fault of the token", async (_name, reply, expected) => {
    pool.answer("discovery", reply());
    expect((await failure(provider.verifyAccessToken(await pool.accessToken()))).failure).toBe(expected);
    expect((await failure(signIn())).failure).toBe(expected);
    expect(pool.received.token).toEqual([]);
    expect(pool.received.discovery, "not asked again at once after a failure").toHaveLength(1);
    pool.restore("discovery");
    clock.advance(5_000);
    await expect(provider.verifyAccessToken(await pool.accessToken())).resolves.toBeDefined();
  });

  test("a pool that changed its issuer is followed without a wait for the document's age", async () => {
    await provider.verifyAccessToken(await pool.accessToken());
    const iss = `https://issuer-cognito-idp.eu-central-1.amazonaws.com/${poolId}`;
    pool.answer("discovery", { body: { issuer: iss, jwks_uri: jwks() } });
    clock.advance(30_001);
    await expect(provider.verifyAccessToken(await pool.accessToken({ iss }))).resolves.toBeDefined();
  });

  test("another domain there than the configured one is said in the log", async () => {
    const token_endpoint = "https://login.example.com/oauth2/token";
    pool.answer("discovery", { body: { issuer: pool.issuer, jwks_uri: jwks(), token_endpoint } });
    await provider.verifyAccessToken(await pool.accessToken());
    expect(log.join()).toContain("https://login.example.com");
  });
});
