import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { getPrincipal, type Principal, requireGroup, requireScope, runWithPrincipal, type Sallyport } from "sallyport";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { type LibraryApp, type LibrarySession, startLibraryApp } from "../support/library-app.ts";
import { statelessRequest } from "../support/mcp-call.ts";

type Claims = { "custom:department"?: string };
let app: LibraryApp<Claims>;
let alice: LibrarySession;
let bob: LibrarySession;
/** What a tool of each call does. */
let work: (auth: LibraryApp<Claims>["auth"]) => unknown;

beforeAll(async () => {
  app = await startLibraryApp<Claims>((auth) => {
    const mcp = createMcpHandler(() => {
      const server = new McpServer({ name: "test", version: "1" });
      const result = async () => ({
        content: [{ type: "text" as const, text: JSON.stringify((await work(auth)) ?? null) }],
      });
      server.registerTool("work", {}, result);
      return server;
    });
    return (request) =>
      request.headers.has("x-plain") ? Promise.resolve(Response.json(work(auth))) : mcp.fetch(request);
  });
  alice = await app.signIn("alice", "notes/read");
  bob = await app.signIn("bob", "notes/read");
});
afterAll(() => app.close());

const callTool = { name: "work", arguments: {} };
/** A call of the tool in each of the protocol's forms that SDK v2 serves. */
const forms: readonly [string, (token: string) => Request][] = [
  ["2026-07-28", (token) => statelessRequest(`${app.url}/mcp`, token, "tools/call", callTool)],
  [
    "2025-11-25",
    (token) =>
      new Request(`${app.url}/mcp`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2025-11-25",
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/call", params: callTool }),
      }),
  ],
];

describe.each(forms)("in a tool called as %s", (_, call) => {
  test("the principal is there, after awaits too", async () => {
    work = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return getPrincipal();
    };
    const text = await (await fetch(call(alice.token))).text();
    for (const part of ["alice@example.com", "custom:department", "editors", alice.client.clientId])
      expect(text).toContain(part);
  });

  test("a missing scope that a sign-in can give is a step-up challenge with all that the new token needs", async () => {
    work = () => requireScope("notes/write");
    const response = await fetch(call(alice.token));
    expect(response.status).toBe(403);
    const challenge = response.headers.get("www-authenticate") ?? "";
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="notes/read notes/write"');
    expect(challenge).toContain(`resource_metadata="${app.url}/.well-known/oauth-protected-resource/mcp"`);
  });

  test("a scope that no sign-in can give is 403 without a challenge, and so is a group", async () => {
    for (const refuse of [() => requireScope("notes/write"), () => requireGroup("editors")]) {
      work = refuse;
      const response = await fetch(call(bob.token));
      expect(response.status).toBe(403);
      expect(response.headers.get("www-authenticate")).toBeNull();
      expect(await response.json()).toMatchObject({
        jsonrpc: "2.0",
        id: 5,
        error: { data: { reason: "not_permitted" } },
      });
    }
  });

  test("whoever has what is required passes", async () => {
    work = () => {
      requireScope("notes/read");
      requireGroup("editors");
      return "passed";
    };
    const response = await fetch(call(alice.token));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("passed");
  });

  test("a refusal that the tool catches changes nothing", async () => {
    work = () => {
      try {
        requireGroup("owners");
      } catch {
        return "without the extra";
      }
      return "with the extra";
    };
    const response = await fetch(call(alice.token));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("without the extra");
  });

  test("another error of a tool stays a tool's error", async () => {
    work = () => {
      throw new Error("no such note");
    };
    const response = await fetch(call(alice.token));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("no such note");
  });
});

test("a tool that runs for long is not held back, and a late refusal is its error", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  work = async () => {
    begun.resolve();
    await goOn.promise;
    requireScope("notes/write");
  };
  const [, call] = forms[1] ?? [];
  const answer = fetch(call?.(alice.token) ?? "");
  await begun.promise;
  await new Promise((resolve) => setImmediate(resolve));
  app.clock.advance(1_000);
  // The head of the answer is here while the tool still runs.
  const response = await answer;
  expect(response.status).toBe(200);
  goOn.resolve();
  const text = await response.text();
  expect(text).toContain('"isError":true');
  expect(text).toContain("Sign in again for these scopes: notes/read notes/write");
});

test("outside MCP a refusal is answered as it is", async () => {
  work = () => requireScope("notes/write");
  const headers = { authorization: `Bearer ${alice.token}`, "x-plain": "1" };
  const response = await fetch(`${app.url}/mcp`, { headers });
  expect(response.status).toBe(403);
  expect(response.headers.get("www-authenticate")).toContain("insufficient_scope");
});

test("requests at the same time each have their own principal", async () => {
  work = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return getPrincipal().username;
  };
  const [, call] = forms[0] ?? [];
  const tokens = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? alice.token : bob.token));
  const texts = await Promise.all(tokens.map(async (token) => (await fetch(call?.(token) ?? "")).text()));
  for (const [i, text] of texts.entries()) expect(text).toContain(i % 2 === 0 ? "alice" : "bob");
});

test("the identity is whole: both doors, user, groups, address, scopes, client, grant, end", async () => {
  work = (auth) => auth.getPrincipal();
  const headers = { authorization: `Bearer ${alice.token}`, "x-plain": "1" };
  const who: unknown = await (await fetch(`${app.url}/mcp`, { headers })).json();
  expect(who).toEqual({
    kind: "user",
    subject: expect.stringMatching(/^[0-9a-f-]{36}$/),
    username: "alice",
    groups: ["editors"],
    email: "alice@example.com",
    emailVerified: true,
    claims: expect.objectContaining({ "custom:department": "sales" }),
    clientId: alice.client.clientId,
    grantId: expect.any(String),
    resource: `${app.url}/mcp`,
    tokenScopes: ["notes/read"],
    scopes: ["notes/read"],
    entitled: ["notes/read", "notes/write"],
    expiresAt: expect.any(Number),
    doors: { token: true, grant: true },
  });
});

test("the claims are typed from the settings to the tool", () => {
  expectTypeOf(app.auth.getPrincipal).returns.toEqualTypeOf<Principal<Claims>>();
  expectTypeOf<Principal<Claims>["claims"]["custom:department"]>().toEqualTypeOf<string | undefined>();
  // An app with claims of its own goes wherever any goes, to an adapter for example.
  expectTypeOf(app.auth).toExtend<Sallyport>();
  expectTypeOf(app.auth.verify).returns.resolves.toEqualTypeOf<Principal<Claims>>();
});

describe("outside a request", () => {
  test.each([
    ["getPrincipal", getPrincipal],
    ["requireGroup", () => requireGroup("a")],
    ["requireScope", () => requireScope("a")],
  ])("%s says so", (_, use) => expect(use).toThrow(/no principal here.*auth\.protect/));

  test("runWithPrincipal makes one", () => {
    const principal: Principal = {
      kind: "machine",
      subject: "robot",
      groups: [],
      claims: {},
      clientId: "robot",
      resource: "https://mcp.example.com/mcp",
      tokenScopes: ["a"],
      scopes: ["a"],
      entitled: ["a", "b"],
      expiresAt: 0,
      doors: { token: true, grant: false },
    };
    expect(runWithPrincipal(principal, getPrincipal)).toBe(principal);
    const refusal = (() => {
      try {
        runWithPrincipal(principal, () => requireScope("b"));
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(refusal).toMatchObject({ name: "BearerRefusal", status: 403, challenge: undefined });
  });
});
