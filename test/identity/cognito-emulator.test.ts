import { createHash } from "node:crypto";
import { type CognitoEmulator, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type CognitoProviderOptions,
  cognitoProvider,
  type IdentityProvider,
  IdentityProviderError,
} from "../../packages/core/src/identity/index.ts";
import { type Clock, silentLogger, systemClock } from "../../packages/core/src/runtime/index.ts";

const redirectUri = "http://localhost:8000/auth/callback";
const logoutUri = "http://localhost:8000/";
const secret = "emulator-secret_with+signs:0123456789";
const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-01234";
const codeChallenge = createHash("sha256").update(verifier).digest("base64url");

let cognito: CognitoEmulator;
let now: number;
/** Also the emulator's. */
const clock: Clock = { ...systemClock, now: () => now };

beforeEach(async () => {
  now = Date.now();
  const scopes = ["openid", "email", "profile"];
  const common = { scopes, callbackUrls: [redirectUri], logoutUrls: [logoutUri] };
  cognito = await startCognitoEmulator({
    port: 0,
    clock,
    pool: {
      id: "eu-central-1_Emulator1",
      clients: [
        { ...common, id: "confidential", secret },
        { ...common, id: "public" },
        { ...common, id: "rotating", secret, refreshTokenRotation: { enabled: true, retryGracePeriodSeconds: 0 } },
        { id: "machine", secret, allowedOAuthFlows: ["client_credentials"], scopes: ["mcp/read", "mcp/write"] },
      ],
      resourceServers: [{ identifier: "mcp", scopes: [{ name: "read" }, { name: "write" }, { name: "admin" }] }],
      groups: [{ name: "readers" }, { name: "writers" }],
      identityProviders: [{ name: "Okta", identifiers: ["example.com"] }],
      claimsToSuppress: ["custom:tenant"],
      emitAcr: true,
      users: [
        { username: "olga", password: "Sallyport-demo-1", identityProvider: "Okta" },
        {
          username: "ada",
          password: "Sallyport-demo-1",
          groups: ["readers"],
          attributes: { email: "ada@example.com", email_verified: "true", given_name: "Ada", "custom:tenant": "acme" },
        },
      ],
    },
  });
});
afterEach(() => cognito.close());

const providerOf = (
  clientId: string,
  clientSecret: string | null = secret,
  more: Partial<CognitoProviderOptions> = {},
): IdentityProvider =>
  cognitoProvider({
    userPoolId: cognito.userPoolId,
    clientId,
    clientSecret,
    domain: cognito.url,
    endpoint: cognito.url,
    fetch,
    clock,
    logger: silentLogger,
    ...more,
  });

/** The cookie of the browser that signed in last. */
let lastCookie = "";

/** What a browser does: follows the URL to the sign-in page, sends its form, and comes back with the callback's URL. */
async function browserSignIn(provider: IdentityProvider, username = "ada"): Promise<URL> {
  const start = await provider.authorizationUrl({ redirectUri, state: "s", nonce: "n", codeChallenge });
  const authorize = await fetch(start, { redirect: "manual" });
  const page = await fetch(new URL(authorize.headers.get("location") ?? "", start));
  const html = await page.text();
  const csrf = /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
  const cookie = page.headers.getSetCookie().map((line) => line.split(";")[0]);
  const back = await fetch(page.url, {
    method: "POST",
    redirect: "manual",
    headers: { cookie: cookie.join("; ") },
    body: new URLSearchParams({ _csrf: csrf, username, password: "Sallyport-demo-1" }),
  });
  lastCookie = back.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  return new URL(back.headers.get("location") ?? "");
}

async function signIn(
  provider: IdentityProvider,
  change: { nonce?: string; codeVerifier?: string } = {},
  username = "ada",
) {
  const callbackUrl = await browserSignIn(provider, username);
  const request = { callbackUrl, redirectUri, state: "s", nonce: "n", codeVerifier: verifier, ...change };
  return { request, session: await provider.exchangeCode(request) };
}

async function failure(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof IdentityProviderError)) throw new Error("no IdentityProviderError", { cause: error });
  return { failure: error.failure, code: error.providerCode };
}

describe.each([
  ["confidential", secret],
  ["public", null],
])("a %s app client", (id, clientSecret) => {
  test("signs in, renews and revokes", async () => {
    const provider = providerOf(id, clientSecret);
    const { session } = await signIn(provider);
    expect(session.identity).toMatchObject({
      sub: cognito.pool.user("ada")?.sub,
      username: "ada",
      groups: ["readers"],
      email: "ada@example.com",
      emailVerified: true,
      claims: { given_name: "Ada" },
    });
    expect(session.authTime).toBe(Math.floor(now / 1000));

    cognito.pool.setGroups("ada", ["writers"]);
    now += 600_000;
    const refreshToken = session.refreshToken ?? "";
    const renewed = await provider.refresh({ refreshToken, sub: session.identity.sub });
    expect(renewed.identity.groups).toEqual(["writers"]);
    expect(renewed.refreshToken).toBe(refreshToken);
    expect(renewed.authTime).toBe(session.authTime);

    await provider.revoke(refreshToken);
    await provider.revoke(refreshToken);
    const again = provider.refresh({ refreshToken, sub: session.identity.sub });
    expect(await failure(again)).toEqual({ failure: "refused", code: "invalid_grant" });
  });
});

test("a rotated refresh token takes the place of the one that was sent", async () => {
  const provider = providerOf("rotating");
  const { session } = await signIn(provider);
  const sent = { refreshToken: session.refreshToken ?? "", sub: session.identity.sub };
  const renewed = await provider.refresh(sent);
  expect(renewed.refreshToken).not.toBe(sent.refreshToken);
  expect(await failure(provider.refresh(sent))).toEqual({ failure: "refused", code: "invalid_grant" });
  await expect(provider.refresh({ ...sent, refreshToken: renewed.refreshToken ?? "" })).resolves.toBeDefined();
});

test("a code is good once, with its own verifier and nonce", async () => {
  const provider = providerOf("confidential");
  const { request } = await signIn(provider);
  expect((await failure(provider.exchangeCode(request))).failure).toBe("refused");
  const wrongVerifier = signIn(provider, { codeVerifier: `${verifier}x` });
  expect((await failure(wrongVerifier)).failure).toBe("refused");
  expect((await failure(signIn(provider, { nonce: "other" }))).failure).toBe("invalid_response");
});

test("a disabled user is not renewed", async () => {
  const provider = providerOf("confidential");
  const { session } = await signIn(provider);
  cognito.pool.disableUser("ada");
  const work = provider.refresh({ refreshToken: session.refreshToken ?? "", sub: session.identity.sub });
  expect((await failure(work)).failure).toBe("refused");
});

test("a wrong secret of our own is a misconfiguration", async () => {
  const wrong = providerOf("confidential", "x".repeat(24));
  expect(await failure(signIn(wrong))).toEqual({ failure: "misconfigured", code: "invalid_client" });
  expect((await failure(wrong.revoke("some-token"))).failure).toBe("misconfigured");
});

describe("a machine", () => {
  const machine = (scopes: readonly string[], clientSecret = secret) =>
    providerOf("confidential").clientCredentials({ clientId: "machine", clientSecret, scopes });

  test("gets what it asks for, all of its scopes if it names none", async () => {
    expect(await machine(["mcp/read"])).toEqual({
      scopes: ["mcp/read"],
      expiresAt: (Math.floor(now / 1000) + 3600) * 1000,
    });
    expect([...(await machine([])).scopes].sort()).toEqual(["mcp/read", "mcp/write"]);
  });

  test("is refused a scope it may not have, one that does not exist, and a wrong secret", async () => {
    expect((await failure(machine(["mcp/admin"]))).failure).toBe("refused");
    expect((await failure(machine(["other/read"]))).failure).toBe("refused");
    expect(await failure(machine([], "x".repeat(24)))).toEqual({ failure: "refused", code: "invalid_client" });
  });

  test("may come with Cognito's own token", async () => {
    const answer = await fetch(cognito.tokenUrl, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "client_credentials", client_id: "machine", client_secret: secret }),
    });
    const { access_token: token } = Object(await answer.json());
    expect(await providerOf("confidential").verifyAccessToken(String(token))).toMatchObject({
      clientId: "machine",
      sub: "machine",
      groups: [],
    });
  });
});

test("throttling, a lost connection and an outage are unavailable, and pass", async () => {
  const provider = providerOf("confidential");
  const { session } = await signIn(provider);
  const renew = () => provider.refresh({ refreshToken: session.refreshToken ?? "", sub: session.identity.sub });
  cognito.faults.throttle({ path: "/oauth2/token" });
  expect((await failure(renew())).failure).toBe("unavailable");
  cognito.faults.clear();
  cognito.faults.set({ path: "/oauth2/token", dropConnection: true });
  expect((await failure(renew())).failure).toBe("unavailable");
  cognito.faults.clear();
  cognito.faults.set({ path: "/oauth2/token", status: 503 });
  expect((await failure(renew())).failure).toBe("unavailable");
  cognito.faults.clear();
  await expect(renew()).resolves.toBeDefined();
});

describe("options of the authorization request", () => {
  test.each<[string, Partial<CognitoProviderOptions>]>([
    ["identity_provider", { identityProvider: "Okta" }],
    ["idp_identifier", { idpIdentifier: "example.com" }],
  ])("%s leads to the other provider's users", async (_name, options) => {
    const { session } = await signIn(providerOf("public", null, options), {}, "olga");
    expect(session.identity).toMatchObject({ username: "Okta_olga", groups: [] });
    expect(session.identity.claims.identities).toMatchObject([{ providerName: "Okta" }]);
  });

  test("acr_values are answered in a claim that has to be listed", async () => {
    const options = { acrValues: ["urn:cognito:loa:1"], claims: ["acr", "given_name"] };
    const { session } = await signIn(providerOf("public", null, options));
    expect(session.identity.claims).toEqual({ acr: "urn:cognito:loa:1", given_name: "Ada" });
  });

  test("prompt=login asks for the password though the browser is signed in", async () => {
    const provider = providerOf("public", null, { prompt: "login" });
    const start = await provider.authorizationUrl({ redirectUri, state: "s", nonce: "n", codeChallenge });
    const back = await browserSignIn(provider);
    expect(back.searchParams.has("code")).toBe(true);
    const again = await fetch(start, { redirect: "manual", headers: { cookie: lastCookie } });
    expect(again.headers.get("location")).toContain("/login?");
    start.searchParams.delete("prompt");
    const silent = await fetch(start, { redirect: "manual", headers: { cookie: lastCookie } });
    expect(silent.headers.get("location")).toContain("code=");
  });

  test("lang and the user's name reach the sign-in page", async () => {
    const request = { redirectUri, state: "s", nonce: "n", codeChallenge, loginHint: "ada" };
    const page = await fetch(await providerOf("public", null, { lang: "de" }).authorizationUrl(request));
    const html = await page.text();
    expect(html).toContain("in the language de");
    expect(html).toContain('value="ada"');
  });
});

describe("a resource that tokens are bound to", () => {
  const resource = "https://mcp.example.com/mcp";
  const bound = () => providerOf("public", null, { resource });

  test("holds at sign-in and at renewal", async () => {
    const { session } = await signIn(bound());
    const sent = { refreshToken: session.refreshToken ?? "", sub: session.identity.sub };
    await expect(bound().refresh(sent)).resolves.toBeDefined();
    const other = providerOf("public", null, { resource: `${resource}/other` });
    expect((await failure(other.refresh(sent))).failure).toBe("invalid_response");
  });

  test("a pool whose tier binds no tokens is found out", async () => {
    const client = { id: "public", scopes: ["openid", "email", "profile"], callbackUrls: [redirectUri] };
    const users = [{ username: "ada", password: "Sallyport-demo-1" }];
    const pool = { id: "eu-central-1_Emulator1", clients: [client], users, resourceBinding: false };
    const lite = await startCognitoEmulator({ port: 0, clock, pool });
    await cognito.close();
    cognito = lite;
    expect((await failure(signIn(bound()))).failure).toBe("invalid_response");
    await expect(signIn(providerOf("public", null))).resolves.toBeDefined();
  });
});

describe("userInfo", () => {
  const asking = (id = "public", clientSecret: string | null = null) =>
    providerOf(id, clientSecret, { userInfo: true });

  test("has what the ID token has not, at sign-in and as it is at each renewal", async () => {
    expect((await signIn(providerOf("public", null))).session.identity.claims).toEqual({ given_name: "Ada" });
    const { session } = await signIn(asking());
    const attributes = { given_name: "Ada", "custom:tenant": "acme" };
    expect(session.identity).toMatchObject({ email: "ada@example.com", emailVerified: true, claims: attributes });
    const sent = { refreshToken: session.refreshToken ?? "", sub: session.identity.sub };
    expect((await asking().refresh(sent)).identity.claims).toEqual(attributes);
  });

  test("an outage of it loses no rotated token", async () => {
    const provider = asking("rotating", secret);
    const { session } = await signIn(provider);
    let refreshToken = session.refreshToken ?? "";
    const keepRotated = async (rotated: string) => {
      refreshToken = rotated;
    };
    const renew = () => provider.refresh({ refreshToken, sub: session.identity.sub, keepRotated });
    cognito.faults.set({ path: "/oauth2/userInfo", status: 503, times: 1 });
    expect((await failure(renew())).failure).toBe("unavailable");
    expect(refreshToken).not.toBe(session.refreshToken);
    await expect(renew()).resolves.toBeDefined();
  });

  test("whom it no longer knows is refused, though the tokens were still given", async () => {
    const provider = asking();
    const { session } = await signIn(provider);
    cognito.faults.set({ path: "/oauth2/userInfo", status: 401, times: 1 });
    const work = provider.refresh({ refreshToken: session.refreshToken ?? "", sub: session.identity.sub });
    expect((await failure(work)).failure).toBe("refused");
  });
});

test("the logout URL ends the browser's session at Cognito", async () => {
  const url = await providerOf("confidential").logoutUrl(logoutUri);
  const answer = await fetch(url, { redirect: "manual" });
  expect([answer.status, answer.headers.get("location")]).toEqual([302, logoutUri]);
});

test("the updated form of issuer is taken from discovery", async () => {
  const issuer = "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Emulator1";
  const scopes = ["openid", "email", "profile"];
  const pool = { id: "eu-central-1_Emulator1", clients: [{ id: "public", scopes, callbackUrls: [redirectUri] }] };
  const users = [{ username: "ada", password: "Sallyport-demo-1" }];
  const updated = await startCognitoEmulator({ port: 0, clock, issuer, pool: { ...pool, users } });
  await cognito.close();
  cognito = updated;
  const { session } = await signIn(providerOf("public", null));
  expect(session.identity.groups).toEqual([]);
});
