import * as oauth from "oauth4webapi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";

/** The library refuses http unless told; loopback is all there is here. */
const insecure = { [oauth.allowInsecureRequests]: true } as const;
const redirectUri = "http://127.0.0.1:9/callback";

let env: TestEnvironment;
let issuer: URL;
let resource: string;
let server: oauth.AuthorizationServer;
beforeAll(async () => {
  env = await startEnvironment();
  issuer = new URL(env.url);
  resource = `${env.url}/clock/mcp`;
  server = await discover("oauth2");
});
afterAll(() => env.close());

const discover = async (algorithm: "oauth2" | "oidc"): Promise<oauth.AuthorizationServer> =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...insecure }));

async function registerClient(metadata: Partial<oauth.OmitSymbolProperties<oauth.Client>>): Promise<oauth.Client> {
  const request = { client_name: "Strict client", redirect_uris: [redirectUri], ...metadata };
  const response = await oauth.dynamicClientRegistrationRequest(server, request, insecure);
  return oauth.processDynamicClientRegistrationResponse(response);
}

/** The authentication of a client as its registration says. */
function authenticationOf(client: oauth.Client): oauth.ClientAuth {
  const secret = client.client_secret;
  if (typeof secret !== "string") return oauth.None();
  return client.token_endpoint_auth_method === "client_secret_post"
    ? oauth.ClientSecretPost(secret)
    : oauth.ClientSecretBasic(secret);
}

interface Authorized {
  readonly parameters: URLSearchParams;
  readonly verifier: string;
}

/** Sends a browser through the authorization endpoint and validates what comes back. */
async function authorize(client: oauth.Client, walk: (url: string) => Promise<string>): Promise<Authorized> {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint ?? "");
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: redirectUri,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    resource,
    scope: "mcp/read mcp/write",
  }).toString();
  const location = new URL(await walk(url.href));
  return { parameters: oauth.validateAuthResponse(server, client, location, state), verifier };
}

async function redeem(
  client: oauth.Client,
  { parameters, verifier }: Authorized,
): Promise<oauth.TokenEndpointResponse> {
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authenticationOf(client),
    parameters,
    redirectUri,
    verifier,
    { additionalParameters: { resource }, ...insecure },
  );
  return oauth.processAuthorizationCodeResponse(server, client, response);
}

async function renew(client: oauth.Client, refreshToken: string): Promise<oauth.TokenEndpointResponse> {
  const authentication = authenticationOf(client);
  const options = { additionalParameters: { resource }, ...insecure };
  const response = await oauth.refreshTokenGrantRequest(server, client, authentication, refreshToken, options);
  return oauth.processRefreshTokenResponse(server, client, response);
}

/** What another resource server would do with the token, as RFC 9068 §4 has it. */
const validate = (accessToken: string, audience = resource): Promise<oauth.JWTAccessTokenClaims> =>
  oauth.validateJwtAccessToken(
    server,
    new Request(resource, { headers: { authorization: `Bearer ${accessToken}` } }),
    audience,
    { signingAlgorithms: ["ES256"], ...insecure },
  );

const asAlice = (url: string) => signIn(url, demoUser(env, "alice"));

describe("oauth4webapi, a strict client", () => {
  test("finds the same authorization server by RFC 8414 and by OpenID Connect Discovery", async () => {
    const openid = await discover("oidc");
    expect(openid).toMatchObject(server);
    expect(server.issuer).toBe(env.url);
    expect(server.code_challenge_methods_supported).toEqual(["S256"]);
    expect(server.authorization_response_iss_parameter_supported).toBe(true);
  });

  test.each(["clock", "notes", "everything"])("finds the protected resource metadata of %s", async (name) => {
    const url = new URL(`${env.url}/${name}/mcp`);
    const response = await oauth.resourceDiscoveryRequest(url, insecure);
    const found = await oauth.processResourceDiscoveryResponse(url, response);
    expect(found.authorization_servers).toEqual([server.issuer]);
    expect(found.bearer_methods_supported).toEqual(["header"]);
    expect(found.scopes_supported).not.toContain("offline_access");
  });

  test.each(["none", "client_secret_basic", "client_secret_post"])(
    "registers with %s, signs in, validates the token and renews it",
    async (method) => {
      const client = await registerClient({ token_endpoint_auth_method: method });
      expect(client.token_endpoint_auth_method).toBe(method);
      const tokens = await redeem(client, await authorize(client, asAlice));
      expect(tokens).toMatchObject({ token_type: "bearer", expires_in: 600, scope: "mcp/read mcp/write" });
      // No ID token is issued, and none is announced by a scope.
      expect(tokens.id_token).toBeUndefined();

      const claims = await validate(tokens.access_token);
      expect(claims).toMatchObject({ client_id: client.client_id, scope: "mcp/read mcp/write" });
      await expect(validate(tokens.access_token, `${env.url}/notes/mcp`)).rejects.toThrow(/aud/);

      const renewed = await renew(client, tokens.refresh_token ?? "");
      expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
      expect(await validate(renewed.access_token)).toMatchObject({ sub: claims.sub, scope: "mcp/read mcp/write" });
      expect((await validate(renewed.access_token)).jti).not.toBe(claims.jti);
    },
  );

  test("reads a denial with its issuer and state", async () => {
    const client = await registerClient({ token_endpoint_auth_method: "none" });
    const denied = authorize(client, (url) => signIn(url, demoUser(env, "alice"), { decision: "deny" }));
    await expect(denied).rejects.toMatchObject({ error: "access_denied" });
  });

  test("reads the refusal of a user who may do nothing", async () => {
    const client = await registerClient({ token_endpoint_auth_method: "none" });
    const refused = authorize(client, (url) => signIn(url, demoUser(env, "carol")));
    await expect(refused).rejects.toMatchObject({
      error: "access_denied",
      error_description: expect.stringContaining("carol@example.com"),
    });
  });

  test("reads an error that is sent back before the consent page", async () => {
    const client = await registerClient({ token_endpoint_auth_method: "none" });
    const atClient = (location: string) => location.startsWith(redirectUri);
    const refused = authorize(client, async (url) => {
      const asked = new URL(url);
      asked.searchParams.set("scope", "mcp/read no-such-scope");
      return (await createWalker().get(asked.href, atClient)).location ?? "";
    });
    await expect(refused).rejects.toMatchObject({ error: "invalid_scope" });
  });

  test("reads the token endpoint's errors", async () => {
    const client = await registerClient({ token_endpoint_auth_method: "client_secret_basic" });
    const authorized = await authorize(client, asAlice);
    const wrongSecret = redeem({ ...client, client_secret: "not-the-secret" }, authorized);
    // RFC 6749 §5.2: 401 with a challenge, as Basic was used.
    await expect(wrongSecret).rejects.toMatchObject({ name: "WWWAuthenticateChallengeError", status: 401 });
    const wrongVerifier = redeem(client, { ...authorized, verifier: oauth.generateRandomCodeVerifier() });
    await expect(wrongVerifier).rejects.toMatchObject({ error: "invalid_grant", status: 400 });
    await expect(renew(client, "no-such-token")).rejects.toMatchObject({ error: "invalid_grant", status: 400 });
  });

  test("gets a token for a machine with its own Cognito secret", async () => {
    const { clientId, clientSecret } = env.machine;
    const machine: oauth.Client = { client_id: clientId };
    const ask = async (authentication: oauth.ClientAuth, parameters: Record<string, string>) =>
      oauth.processClientCredentialsResponse(
        server,
        machine,
        await oauth.clientCredentialsGrantRequest(server, machine, authentication, parameters, insecure),
      );
    const basic = oauth.ClientSecretBasic(clientSecret);
    const tokens = await ask(basic, { resource, scope: "mcp/read" });
    expect(tokens.refresh_token).toBeUndefined();
    expect(await validate(tokens.access_token)).toMatchObject({
      sub: clientId,
      client_id: clientId,
      scope: "mcp/read",
      principal: "machine",
    });
    expect((await ask(basic, { resource })).access_token).not.toBe(tokens.access_token);
    expect((await ask(oauth.ClientSecretPost(clientSecret), { resource })).scope).toBe("mcp/read");

    // mcp/admin includes mcp/read, which is all of it that this machine may have.
    expect((await ask(basic, { resource, scope: "mcp/admin" })).scope).toBe("mcp/read");
    const elsewhere = `${env.url}/nowhere/mcp`;
    await expect(ask(basic, { resource: elsewhere })).rejects.toMatchObject({ error: "invalid_target" });
    await expect(ask(oauth.ClientSecretBasic("wrong"), { resource })).rejects.toMatchObject({ status: 401 });
  });

  test("uses its token at the resource, and reads the challenge where it has none", async () => {
    const client = await registerClient({ token_endpoint_auth_method: "none" });
    const { access_token } = await redeem(client, await authorize(client, asAlice));
    const send = (token: string, name: string) =>
      oauth.protectedResourceRequest(
        token,
        "POST",
        new URL(`${env.url}/${name}/mcp`),
        new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" }),
        JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "initialize",
          params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "strict", version: "1" } },
        }),
        insecure,
      );
    const answer = await send(access_token, "clock");
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
    // A token for one resource opens no other.
    const error: unknown = await send(access_token, "notes").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
    expect(error).toMatchObject({
      status: 401,
      cause: [
        {
          scheme: "bearer",
          parameters: {
            error: "invalid_token",
            resource_metadata: `${env.url}/.well-known/oauth-protected-resource/notes/mcp`,
          },
        },
      ],
    });
  });
});
