import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { type Requirements, runConformance, shortfalls } from "./run-suite.ts";

/** Compare with demo-servers.test.ts: the same server without a gateway before it. */
describe("the conformance suite through the gateway", () => {
  let env: TestEnvironment;
  let url: string;
  let token: string;
  beforeAll(async () => {
    env = await startEnvironment();
    url = `${env.url}/everything/mcp`;
    const client = await register(env.url);
    const pair = pkce();
    const location = await signIn(authorizeUrl(env.url, client, pair, { resource: url }), demoUser(env, "alice"));
    const code = new URL(location).searchParams.get("code") ?? "";
    token = (await tokenAnswer(await redeem(env.url, client, code, pair))).access_token;
  });
  afterAll(() => env.close());

  const sets: readonly (readonly [Requirements, number])[] = [
    ["2025-11-25", 30],
    ["2026-07-28", 37],
  ];

  it.each(sets)(
    "with alice's token, all that %s requires holds, and what it lists beyond that",
    async (requirements, count) => {
      const run = await runConformance({ url, requirements, token });
      expect(shortfalls(run), run.output).toEqual([]);
      expect(run.exitCode).toBe(0);
      expect(run.scenarios.filter(({ required }) => required)).toHaveLength(count);
      const others = run.scenarios.filter(({ status, name }) => status !== "SUCCESS" && !name.startsWith("tasks-"));
      expect(others.map(({ name }) => name)).toEqual([]);
    },
  );

  it.each(sets)("without a token, nothing that %s requires gets through", async (requirements, count) => {
    const from = env.audit.length;
    const run = await runConformance({ url, requirements });
    expect(run.exitCode).toBe(1);
    expect(run.scenarios.filter(({ required }) => required)).toHaveLength(count);
    expect(run.scenarios.filter(({ required, status }) => required && status === "SUCCESS")).toEqual([]);
    const allowed = env.audit.slice(from).filter(({ action }) => action === "request.allowed");
    expect(allowed).toEqual([]);
  });

  it("leaves it to the server to say that resources/subscribe is gone (was 403 for want of a uri, not 404)", async () => {
    const version = "2026-07-28";
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        "mcp-protocol-version": version,
        "mcp-method": "resources/subscribe",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "resources/subscribe",
        params: {
          _meta: {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ id: 1, error: { code: -32601 } });
  });
});
