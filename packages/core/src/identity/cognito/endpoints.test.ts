import { describe, expect, test } from "vitest";
import { silentLogger, systemClock } from "../../runtime/index.ts";
import { type CognitoProviderOptions, cognitoProvider } from "../index.ts";

const asked: string[] = [];
const good: CognitoProviderOptions = {
  userPoolId: "eu-central-1_AbCdEfGhI",
  clientId: "client",
  clientSecret: "secret",
  domain: "my-app",
  clock: systemClock,
  logger: silentLogger,
  fetch: async (input) => {
    asked.push(String(input));
    return new Response("", { status: 503 });
  },
};

const where = async (change: Partial<CognitoProviderOptions>): Promise<string> =>
  (await cognitoProvider({ ...good, ...change }).logoutUrl("https://mcp.example.com/")).origin;

describe("the domain", () => {
  test.each([
    ["a prefix", { domain: "my-app" }, "https://my-app.auth.eu-central-1.amazoncognito.com"],
    [
      "a prefix host",
      { domain: "my-app.auth.eu-central-1.amazoncognito.com" },
      "https://my-app.auth.eu-central-1.amazoncognito.com",
    ],
    ["a custom host", { domain: "Auth.example.com" }, "https://auth.example.com"],
    ["a full URL", { domain: "https://auth.example.com/" }, "https://auth.example.com"],
    ["a local one", { domain: "http://localhost:9229" }, "http://localhost:9229"],
    [
      "a prefix in GovCloud",
      { userPoolId: "us-gov-west-1_Ab1", domain: "my-app" },
      "https://my-app.auth-fips.us-gov-west-1.amazoncognito.com",
    ],
  ])("%s", async (_name, change, origin) => {
    expect(await where(change)).toBe(origin);
  });
});

describe("discovery is asked at", () => {
  test.each([
    ["the pool's region", {}, "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI"],
    [
      "China's hosts",
      { userPoolId: "cn-north-1_Ab1", domain: "auth.example.cn" },
      "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab1",
    ],
    ["the endpoint", { endpoint: "http://localhost:9229/" }, "http://localhost:9229/eu-central-1_AbCdEfGhI"],
  ])("%s", async (_name, change, base) => {
    asked.length = 0;
    await expect(cognitoProvider({ ...good, ...change }).verifyAccessToken("x")).rejects.toThrow("503");
    expect(asked).toEqual([`${base}/.well-known/openid-configuration`]);
  });
});

test.each<[Partial<CognitoProviderOptions>, string]>([
  [{ userPoolId: "AbCdEfGhI" }, "cognito.user_pool_id: is not a user pool id; copy it"],
  [{ userPoolId: "" }, "cognito.user_pool_id: "],
  [{ userPoolId: "eu-central-1_Ab/../x" }, "cognito.user_pool_id: "],
  [{ clientId: "" }, "cognito.client_id: "],
  [{ clientSecret: "" }, "cognito.client_secret: is empty; give the app client's secret, or null"],
  [{ domain: "" }, "cognito.domain: is empty"],
  [{ domain: "http://auth.example.com" }, "cognito.domain: must be https"],
  [{ domain: "https://auth.example.com/oauth2" }, "cognito.domain: must have no path"],
  [{ domain: "https://me@auth.example.com" }, "cognito.domain: must not hold a user name"],
  [{ domain: "auth.example.com/login" }, "cognito.domain: is no domain; write a prefix"],
  [{ domain: "my_app" }, "cognito.domain: is no domain"],
  [
    { domain: "my-app.auth.us-east-1.amazoncognito.com" },
    "cognito.domain: is in us-east-1, but the user pool id says eu-central-1",
  ],
  [{ userPoolId: "cn-north-1_Ab1" }, "cognito.domain: in a cn- region must be the full host name"],
  [{ endpoint: "http://cognito.example.com" }, "cognito.endpoint: must be https (http only on loopback)"],
  [{ endpoint: "localhost:9229" }, "cognito.endpoint: write a full URL"],
  [{ scopes: ["email"] }, "cognito.scopes: must have openid"],
  [{ scopes: ["openid", "a b"] }, "cognito.scopes: a scope has no spaces"],
  [{ identityProvider: "Google", idpIdentifier: "example.com" }, "cognito.idp_identifier: is given together"],
  [{ timeoutMs: 0 }, "cognito.timeout_ms: "],
])("%o is refused with the setting's name and the mend", (change, message) => {
  expect(() => cognitoProvider({ ...good, ...change })).toThrow(message);
});

test("a wrong setting's value is not in the error", () => {
  const attempt = () => cognitoProvider({ ...good, clientId: "not/an id", clientSecret: "s3cret" });
  expect(attempt).toThrow(/^(?!.*(s3cret|not\/an id))/);
});

describe("the authorization URL", () => {
  const request = {
    redirectUri: "https://mcp.example.com/auth/callback",
    state: "s",
    nonce: "n",
    codeChallenge: "c",
  };
  const fixed = {
    response_type: "code",
    client_id: "client",
    redirect_uri: "https://mcp.example.com/auth/callback",
    state: "s",
    nonce: "n",
    code_challenge: "c",
    code_challenge_method: "S256",
  };

  test("has PKCE, nonce and the default scopes, and nobody is asked for it", async () => {
    asked.length = 0;
    const url = await cognitoProvider(good).authorizationUrl(request);
    expect(`${url.origin}${url.pathname}`).toBe("https://my-app.auth.eu-central-1.amazoncognito.com/oauth2/authorize");
    expect(Object.fromEntries(url.searchParams)).toEqual({ ...fixed, scope: "openid email profile" });
    expect(asked).toEqual([]);
  });

  test("has what is configured and asked for", async () => {
    const options = { ...good, scopes: ["openid", "phone"], identityProvider: "Google", lang: "de" };
    const url = await cognitoProvider(options).authorizationUrl({
      ...request,
      prompt: "login",
      loginHint: "a&b@example.com",
    });
    const more = { identity_provider: "Google", lang: "de", prompt: "login", login_hint: "a&b@example.com" };
    expect(Object.fromEntries(url.searchParams)).toEqual({ ...fixed, scope: "openid phone", ...more });
    const other = await cognitoProvider({ ...good, idpIdentifier: "example.com" }).authorizationUrl(request);
    expect(other.searchParams.get("idp_identifier")).toBe("example.com");
  });
});

test("the logout URL is Cognito's own form", async () => {
  const url = await cognitoProvider(good).logoutUrl("https://mcp.example.com/bye?x=1&y=2");
  expect(url.pathname).toBe("/logout");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: "client",
    logout_uri: "https://mcp.example.com/bye?x=1&y=2",
  });
});
