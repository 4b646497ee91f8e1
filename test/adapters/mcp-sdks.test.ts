import { InvalidTokenError, OAuthError, ServerError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import express from "express";
import { type AnyClaims, BearerRefusal, getPrincipal } from "sallyport";
import { authInfoOf, needsScope, principalFrom, protectMcp, withPrincipal } from "sallyport/mcp";
import { bearerAuth, tokenVerifier, toolScopes } from "sallyport/mcp-v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LibraryApp, startLibraryApp } from "../support/library-app.ts";
import { statelessRequest } from "../support/mcp-call.ts";

let app: LibraryApp<AnyClaims>;
const seen: unknown[] = [];

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "test", version: "1" });
  server.registerTool("write", { scopeChallenge: needsScope("notes/write") }, (ctx) => {
    seen.push(ctx.http?.authInfo);
    return { content: [{ type: "text", text: `written by ${getPrincipal().username}` }] };
  });
  return server;
});

beforeAll(async () => {
  app = await startLibraryApp(() => () => new Response("unused"));
});

afterAll(() => app.close());

const write = (token: string) =>
  statelessRequest(`${app.url}/mcp`, token, "tools/call", { name: "write", arguments: {} });

describe("SDK v2", () => {
  it("hands a tool who calls it, and no token", async () => {
    const { token, client } = await app.signIn("alice", "notes/write");
    const answer = await protectMcp(app.auth, handler)(write(token));
    expect(await answer.text()).toContain("written by alice");
    const authInfo = seen.at(-1);
    expect(authInfo).toMatchObject({
      token: "",
      clientId: client.clientId,
      scopes: expect.arrayContaining(["notes/read", "notes/write"]),
      extra: { principal: { kind: "user", username: "alice", groups: ["editors"], email: "alice@example.com" } },
    });
    expect(JSON.stringify(authInfo)).not.toContain(token);
  });

  it("asks for a wider sign-in where that helps, before the tool runs", async () => {
    const { token } = await app.signIn("alice", "notes/read");
    const before = seen.length;
    const answer = await protectMcp(app.auth, handler)(write(token));
    expect(answer.status).toBe(403);
    const challenge = answer.headers.get("www-authenticate");
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="notes/read notes/write"');
    expect(challenge).toContain(`resource_metadata="${app.url}/.well-known/oauth-protected-resource/mcp"`);
    expect(seen).toHaveLength(before);
  });

  it("sends nobody through a sign-in that would not help", async () => {
    const { token } = await app.signIn("bob", "notes/read");
    const answer = await protectMcp(app.auth, handler)(write(token));
    expect(answer.status).toBe(403);
    expect(answer.headers.get("www-authenticate")).toBeNull();
    expect(await answer.json()).toMatchObject({ id: 5, error: { data: { reason: "not_permitted" } } });
  });

  it("lets nothing pass where it does not know the caller", async () => {
    const before = seen.length;
    const { token } = await app.signIn("alice", "notes/write");
    const authInfo = { token, clientId: "x", scopes: ["notes/write"], extra: { principal: { username: "root" } } };
    expect((await handler.fetch(write(token), { authInfo })).status).toBe(500);
    expect((await handler.fetch(write(token))).status).toBe(500);
    expect(seen).toHaveLength(before);
    expect(principalFrom(authInfo)).toBeUndefined();
  });

  it("lends a handler its caller from the authInfo alone", async () => {
    const { token } = await app.signIn("bob", "notes/read");
    const headers = { authorization: `Bearer ${token}` };
    const principal = await app.auth.verify(new Request(`${app.url}/mcp`, { headers }));
    const who = withPrincipal((_args: object, _context: object) => getPrincipal().username);
    const authInfo = authInfoOf(principal);
    expect(who({}, { http: { authInfo } })).toBe("bob");
    expect(who({}, { authInfo: { ...authInfo } })).toBe("bob");
    expect(() => who({}, {})).toThrow(/without the authInfo/);
  });
});

describe("SDK 1.x", () => {
  it("has its tokens checked for its own requireBearerAuth", async () => {
    const verifier = tokenVerifier(app.auth, { resource: "/mcp" });
    const { token, client } = await app.signIn("alice", "notes/read");
    expect(await verifier.verifyAccessToken(token)).toMatchObject({
      clientId: client.clientId,
      scopes: ["notes/read"],
      token: "",
    });
    await expect(verifier.verifyAccessToken("nonsense")).rejects.toBeInstanceOf(InvalidTokenError);
    const failing = (refusal: BearerRefusal) =>
      tokenVerifier({ ...app.auth, verify: () => Promise.reject(refusal) }, { resource: "/mcp" }).verifyAccessToken(
        "t",
      );
    await expect(failing(BearerRefusal.unavailable("store_unavailable"))).rejects.toBeInstanceOf(ServerError);
    const denied = await failing(BearerRefusal.notPermitted()).catch((error: unknown) => error);
    expect(denied).toBeInstanceOf(OAuthError);
    expect(denied).toMatchObject({ errorCode: "not_permitted" });
  });

  it("answers at Express's routes as the SDK did, and tools are refused before they run", async () => {
    const server = express();
    server.use(express.json());
    const verifier = tokenVerifier(app.auth, { resource: "/mcp" });
    server.post("/theirs", requireBearerAuth({ verifier, requiredScopes: ["notes/read"] }), (request, response) => {
      response.json({ client: request.auth?.clientId });
    });
    const ours = [bearerAuth(app.auth, { resource: "/mcp" }), toolScopes({ write: ["notes/write"] })];
    server.post("/ours", ...ours, (request, response) => {
      response.json({ who: getPrincipal().username, client: request.auth?.clientId });
    });
    const listening = server.listen(0, "127.0.0.1");
    try {
      await new Promise((resolve) => listening.once("listening", resolve));
      const address = listening.address();
      if (address === null || typeof address === "string") throw new Error("no port");
      const { token, client } = await app.signIn("alice", "notes/read");
      const post = (path: string, authorization: string, message: unknown = {}) =>
        fetch(`http://127.0.0.1:${address.port}${path}`, {
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body: JSON.stringify(message),
        });
      expect(await (await post("/theirs", `Bearer ${token}`)).json()).toEqual({ client: client.clientId });
      expect((await post("/theirs", "Bearer nonsense")).status).toBe(401);
      expect(await (await post("/ours", `Bearer ${token}`)).json()).toEqual({ who: "alice", client: client.clientId });
      const call = { jsonrpc: "2.0", id: 3, method: "tools/call", params: { name: "write", arguments: {} } };
      for (const message of [call, [call]]) {
        const refused = await post("/ours", `Bearer ${token}`, message);
        expect(refused.status).toBe(403);
        expect(refused.headers.get("www-authenticate")).toContain('scope="notes/read notes/write"');
      }
      const none = await post("/ours", "Bearer nonsense");
      expect(none.status).toBe(401);
      expect(none.headers.get("www-authenticate")).toContain(`${app.url}/.well-known/oauth-protected-resource/mcp`);
    } finally {
      listening.closeAllConnections();
      listening.close();
    }
  });
});
