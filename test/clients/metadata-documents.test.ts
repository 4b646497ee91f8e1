import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { clientKeys, goodClaims } from "../support/client-keys.ts";
import { type DocumentHost, publishedDocument, startDocumentHost } from "../support/document-host.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, refresh, type TestClient, tokenAnswer } from "../support/oauth-client.ts";
import { inMemoryProvider } from "./in-memory-provider.ts";

let host: DocumentHost;
let env: TestEnvironment;
beforeAll(async () => {
  host = await startDocumentHost();
  env = await startEnvironment({ runtime: { network: host.network } });
});
afterAll(async () => {
  await env.close();
  await host.close();
});

/** The clients in use that publish what they are, and the redirects with which they come. */
const clients: [file: string, redirectUri: string, scope?: string][] = [
  ["claude", "https://claude.ai/api/mcp/auth_callback"],
  ["claude-code", "http://localhost:51723/callback"],
  ["claude-code", "http://127.0.0.1:51723/callback"],
  ["chatgpt", "https://chatgpt.com/connector_platform_oauth_redirect", "openid email offline_access profile"],
  ["chatgpt-connector", "https://chatgpt.com/connector/oauth/a1b2c3d4e5"],
  ["vs-code", "http://127.0.0.1:33418/"],
  ["vs-code", "http://127.0.0.1:49152/"],
  ["vs-code", "https://vscode.dev/redirect"],
  ["codex", "http://127.0.0.1:40961/callback"],
  ["opencode", "http://127.0.0.1:19876/callback"],
];

const clientOf = (file: string, redirectUri: string): TestClient => {
  const document = publishedDocument(file);
  host.publish(document.client_id, document);
  return { clientId: document.client_id, redirectUri };
};

/** Everything up to the code, as the user's browser does it. */
async function codeFor(client: TestClient, params: Readonly<Record<string, string>> = {}) {
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, params), demoUser(env, "alice")));
  expect(location.href.startsWith(`${client.redirectUri}?`)).toBe(true);
  expect(location.searchParams.get("iss")).toBe(env.url);
  return { pair, code: location.searchParams.get("code") ?? "" };
}

const call = (token: string) =>
  fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    }),
  });

test("metadata say so, and that no secret is needed: Claude looks at both", async () => {
  const metadata = await (await fetch(`${env.url}/.well-known/oauth-authorization-server`)).json();
  expect(metadata).toMatchObject({
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: expect.arrayContaining(["none", "private_key_jwt"]),
  });
});

describe("signs in, calls a tool and refreshes", () => {
  test.each<(typeof clients)[number]>(clients)("%s at %s", async (file, redirectUri, scope) => {
    const client = clientOf(file, redirectUri);
    const { pair, code } = await codeFor(client, scope === undefined ? {} : { scope });
    const redeemed = await redeem(env.url, client, code, pair);
    const first = await tokenAnswer(redeemed);
    expect(redeemed.status, JSON.stringify(first)).toBe(200);
    expect((await call(first.access_token)).status).toBe(200);
    const refreshed = await refresh(env.url, client, first.refresh_token);
    const second = await tokenAnswer(refreshed);
    expect(refreshed.status, JSON.stringify(second)).toBe(200);
    expect((await call(second.access_token)).status).toBe(200);
    expect(second.refresh_token).not.toBe(first.refresh_token);
  });

  test("and none of it asked for a document more than once", () => {
    for (const [file] of clients) expect(host.requestsFor(publishedDocument(file).client_id)).toBe(1);
  });
});

test("ChatGPT may also sign with its key, which is fetched from where its document says", async () => {
  const keys = clientKeys("RS256", "chatgpt-1");
  host.publish("https://chatgpt.com/oauth/jwks.json", { keys: [keys.jwk] });
  const client = clientOf("chatgpt", "https://chatgpt.com/connector_platform_oauth_redirect");
  const assertion = () => keys.assertion(goodClaims(client.clientId, env.url, env.clock.now()), { kid: "chatgpt-1" });
  const { pair, code } = await codeFor(client);
  const redeemed = await redeem(env.url, client, code, pair, assertion());
  const tokens = await tokenAnswer(redeemed);
  expect(redeemed.status, JSON.stringify(tokens)).toBe(200);
  expect((await refresh(env.url, client, tokens.refresh_token, assertion())).status).toBe(200);

  const others = clientKeys("RS256", "chatgpt-1");
  const forged = others.assertion(goodClaims(client.clientId, env.url, env.clock.now()), { kid: "chatgpt-1" });
  const refused = await refresh(env.url, client, tokens.refresh_token, forged);
  expect([refused.status, (await tokenAnswer(refused)).error]).toEqual([401, "invalid_client"]);
});

test("a client that only signs cannot come without a signature", async () => {
  const keys = clientKeys("ES256");
  const url = "https://client.example/signing.json";
  host.publish(url, {
    client_id: url,
    client_name: "Signing client",
    redirect_uris: ["https://client.example/callback"],
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [keys.jwk] },
  });
  const client = { clientId: url, redirectUri: "https://client.example/callback" };
  const { pair, code } = await codeFor(client);
  const bare = await redeem(env.url, client, code, pair);
  expect([bare.status, (await tokenAnswer(bare)).error]).toEqual([401, "invalid_client"]);
  const signed = keys.assertion(goodClaims(url, env.url, env.clock.now()));
  expect((await redeem(env.url, client, code, pair, signed)).status).toBe(200);
});

test("SDK v2's client takes its document's URL for its id by itself, and registers nothing", async () => {
  const provider = inMemoryProvider("SDK");
  const clientMetadataUrl = "https://client.example/sdk.json";
  host.publish(clientMetadataUrl, { client_id: clientMetadataUrl, ...provider.clientMetadata });
  const url = new URL(`${env.url}/clock/mcp`);
  const authProvider = { ...provider, clientMetadataUrl };
  const refused = new StreamableHTTPClientTransport(url, { authProvider });
  const from = env.audit.length;
  await expect(new Client({ name: "sdk", version: "1" }).connect(refused)).rejects.toBeInstanceOf(UnauthorizedError);
  const location = new URL(await signIn(provider.takeAuthorizationUrl(), demoUser(env, "alice")));
  await refused.finishAuth(location.searchParams);
  const client = new Client({ name: "sdk", version: "1" });
  onTestFinished(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider }));
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain("now");
  const events = env.audit.slice(from);
  expect(events.find(({ action }) => action === "signin.completed")?.client).toBe(clientMetadataUrl);
  expect(events.map(({ action }) => action)).not.toContain("client.registered");
});

test("the consent page says where the app is described", async () => {
  const client = clientOf("opencode", "http://127.0.0.1:19876/callback");
  const page = await createWalker().get(authorizeUrl(env.url, client, pkce()));
  expect(page.status).toBe(200);
  const text = page.body.replaceAll(/<[^>]+>/g, "");
  expect(text).toContain("opencode asks for access to");
  expect(text).toContain("opencode.ai");
  expect(text).toContain("127.0.0.1:19876");
});

describe("attacks §3: a document without grant_types gets what it can use", () => {
  const publish = (name: string, more: object) => {
    const url = `https://client.example/${name}.json`;
    const redirectUri = "https://client.example/callback";
    host.publish(url, { client_id: url, client_name: "Client", redirect_uris: [redirectUri], ...more });
    return { clientId: url, redirectUri };
  };

  test("a refresh token, and the refresh works", async () => {
    const client = publish("without", {});
    const { pair, code } = await codeFor(client);
    const tokens = await tokenAnswer(await redeem(env.url, client, code, pair));
    expect((await refresh(env.url, client, tokens.refresh_token)).status).toBe(200);
  });

  test("one that lists authorization_code alone gets no refresh token, which it could not use", async () => {
    const client = publish("code-only", { grant_types: ["authorization_code"] });
    const { pair, code } = await codeFor(client);
    const tokens = await tokenAnswer(await redeem(env.url, client, code, pair));
    expect(tokens.access_token).toBeDefined();
    expect(tokens.refresh_token).toBeUndefined();
  });
});
