import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rawRequest } from "../attacks/raw-request.ts";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, postToken, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
let notesHost: string;
let clockHost: string;

beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => {
      const { port } = new URL(settings.baseUrl);
      notesHost = `notes.localhost:${port}`;
      clockHost = `clock.localhost:${port}`;
      const hosts: Readonly<Record<string, string[]>> = { notes: [notesHost], clock: [clockHost] };
      return {
        ...settings,
        servers: settings.servers?.map((server) => ({ ...server, hosts: hosts[server.name] ?? [] })),
      };
    },
  });
}, 60_000);
afterAll(() => env.close());

/** A request as it comes from a client that was told the host name; nothing here resolves it. */
const at = (host: string, target: string, headers: Readonly<Record<string, string>> = {}) =>
  rawRequest(env.url, { target, headers: { host, ...headers } });

/** A `fetch` that takes such names to the gateway. */
const toGateway = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const request = new Request(input, init);
  const { host, pathname } = new URL(request.url);
  const answer = await rawRequest(env.url, {
    target: pathname,
    method: request.method,
    headers: { ...Object.fromEntries(request.headers), host },
    body: await request.text(),
  });
  const headers = Object.entries(answer.headers).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const empty = answer.status === 202 || answer.status === 204;
  return new Response(empty ? null : answer.body, { status: answer.status, headers });
};

const callAt = async (host: string, path: string, token: string | undefined, name = "list_notes") =>
  toGateway(statelessRequest(`http://${host}${path}`, token, "tools/call", { name, arguments: {} }));

const base = () => new URL(env.url).host;

async function tokenFor(resource: string, who = "alice", scope?: string): Promise<string> {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, { resource, scope }), demoUser(env, who)));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair, { resource });
  return (await tokenAnswer(answer)).access_token;
}

const claimsOf = (token: string): { aud: string; iss: string } =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

describe("a server on a host name of its own", () => {
  test("says where to sign in: on its own host what describes it, the issuer where it always is", async () => {
    const refused = await callAt(notesHost, "/mcp", undefined);
    expect(refused.status).toBe(401);
    const metadataUrl = `http://${notesHost}/.well-known/oauth-protected-resource/mcp`;
    expect(refused.headers.get("www-authenticate")).toContain(`resource_metadata="${metadataUrl}"`);
    for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]) {
      const { status, body, headers } = await at(notesHost, path, { origin: "https://anywhere.example" });
      expect([status, headers["access-control-allow-origin"]]).toEqual([200, "*"]);
      expect(JSON.parse(body)).toMatchObject({
        resource: `http://${notesHost}/mcp`,
        authorization_servers: [env.url],
        resource_name: "notes",
      });
    }
    expect(JSON.parse((await at(clockHost, "/.well-known/oauth-protected-resource/mcp")).body)).toMatchObject({
      resource: `http://${clockHost}/mcp`,
    });
  });

  test("and nothing else: not the sign-in, not the keys, not the servers by path", async () => {
    for (const path of [
      "/authorize",
      "/token",
      "/register",
      "/consent",
      "/healthz",
      "/.well-known/oauth-authorization-server",
      "/.well-known/openid-configuration",
      "/.well-known/jwks.json",
      "/.well-known/oauth-protected-resource/notes/mcp",
      "/notes/mcp",
    ]) {
      expect([path, (await at(notesHost, path)).status]).toEqual([path, 404]);
    }
    // Nor are its documents the gateway's own.
    expect((await at(base(), "/.well-known/oauth-protected-resource/mcp")).status).toBe(404);
    expect((await at(base(), "/.well-known/oauth-protected-resource/notes/mcp")).status).toBe(200);
  });

  test("takes a token for that URL, and no other; a token for it opens nothing else", async () => {
    const forHost = await tokenFor(`http://${notesHost}/mcp`);
    const forPath = await tokenFor(`${env.url}/notes/mcp`);
    expect(claimsOf(forHost)).toMatchObject({ aud: `http://${notesHost}/mcp`, iss: env.url });
    const outcomes = await Promise.all([
      callAt(notesHost, "/mcp", forHost),
      callAt(notesHost, "/mcp", forPath),
      callAt(base(), "/notes/mcp", forPath),
      callAt(base(), "/notes/mcp", forHost),
      callAt(clockHost, "/mcp", forHost, "now"),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([200, 401, 200, 401, 401]);
    expect(outcomes[1]?.headers.get("www-authenticate")).toContain(`http://${notesHost}/.well-known/`);
    expect(
      env.audit.some(
        ({ resource, reason }) => resource === `http://${notesHost}/mcp` && reason === "token_audience_mismatch",
      ),
    ).toBe(true);
  });

  test("goes by the same policy, and challenges towards its own metadata", async () => {
    const narrow = await tokenFor(`http://${notesHost}/mcp`, "alice", "mcp/read");
    const refused = await callAt(notesHost, "/mcp", narrow, "delete_note");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("www-authenticate")).toContain(
      `http://${notesHost}/.well-known/oauth-protected-resource/mcp`,
    );
    const bob = await tokenFor(`http://${notesHost}/mcp`, "bob");
    expect((await callAt(notesHost, "/mcp", bob, "delete_note")).headers.has("www-authenticate")).toBe(false);
    const list = await toGateway(statelessRequest(`http://${notesHost}/mcp`, bob, "tools/list"));
    expect(await list.text()).toContain("list_notes");
    expect(
      await (await toGateway(statelessRequest(`http://${notesHost}/mcp`, bob, "tools/list"))).text(),
    ).not.toContain("add_note");
  });

  test("is open to a machine too, by exchange", async () => {
    const resource = `http://${notesHost}/mcp`;
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource };
    const { access_token } = await tokenAnswer(await postToken(env.url, form));
    expect((await callAt(notesHost, "/mcp", access_token)).status).toBe(200);
    expect((await callAt(base(), "/notes/mcp", access_token)).status).toBe(401);
  });

  test("unknown names are 421", async () => {
    const { port } = new URL(env.url);
    for (const host of [`evil.localhost:${port}`, "notes.localhost:1", "notes.localhost", `x.${notesHost}`]) {
      expect([host, (await callAt(host, "/mcp", undefined)).status]).toEqual([host, 421]);
    }
  });

  test("works for the SDK's client, from initialize on", async () => {
    const token = await tokenFor(`http://${notesHost}/mcp`);
    const client = new Client({ name: "test", version: "1" });
    const requestInit = { headers: { authorization: `Bearer ${token}` } };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`http://${notesHost}/mcp`), { fetch: toGateway, requestInit }),
    );
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("delete_note");
    await client.close();
  });
});
