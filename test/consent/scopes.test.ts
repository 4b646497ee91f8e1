import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker, type Page } from "../support/browser-walk.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { attempt, hostedClient, tokensOf } from "./attempt.ts";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      scopes: { ...settings.scopes, "mcp/export": { description: "Take everything with it" } },
      groups: { ...settings.groups, "mcp-admins": ["mcp/admin", "mcp/export"] },
    }),
  });
});
afterAll(() => env.close());

const boxesOf = (page: Page | undefined): string[] =>
  [...(page?.body ?? "").matchAll(/<input type="checkbox" name="(scope\.\d+)"/g)].map(([, name]) => name ?? "");

/** Signs alice in with the fields that a person's choice would post. */
async function scopeOf(fields: Record<string, string>, params: Record<string, string> = {}): Promise<string> {
  const client = await register(env.url);
  return (await tokenAnswer(await tokensOf(await attempt(env, { client, fields, params }), env.url, client))).scope;
}

describe("the user may narrow the scopes", () => {
  test("the page has a box for each, included ones spelled out", async () => {
    const client = await register(env.url);
    const { pages } = await attempt(env, { client, params: { scope: "mcp/write mcp/export" } });
    expect(boxesOf(pages[0])).toEqual(["scope.0", "scope.1", "scope.2"]);
    expect(pages[0]?.body).toContain("Comes with “Change things: add notes, run tools that write”.");
  });

  test.each([
    ["all of them", { "scope.0": "1", "scope.1": "1", "scope.2": "1", "scope.3": "1" }, "read write admin export"],
    ["the lowest", { "scope.0": "1" }, "read"],
    ["one without what comes with it: it comes all the same", { "scope.1": "1" }, "read write"],
    ["the highest alone", { "scope.2": "1" }, "read write admin"],
    ["two that have nothing to do with each other", { "scope.0": "1", "scope.3": "1" }, "read export"],
  ])("%s", async (_name, ticked, left) => {
    const expected = left.split(" ").map((name) => `mcp/${name}`);
    expect(await scopeOf(ticked)).toBe(expected.join(" "));
  });

  test("whoever answers with the decision alone means the list as it stands", async () => {
    expect(await scopeOf({})).toBe("mcp/read mcp/write mcp/admin mcp/export");
  });

  test("a refresh keeps to it and cannot widen it", async () => {
    const client = await register(env.url);
    const signedIn = await attempt(env, { client, fields: { "scope.1": "1" } });
    const tokens = await tokenAnswer(await tokensOf(signedIn, env.url, client));
    const wider = await refresh(env.url, client, tokens.refresh_token, { scope: "mcp/admin" });
    expect([wider.status, (await tokenAnswer(wider)).error]).toEqual([400, "invalid_scope"]);
    const renewed = await tokenAnswer(await refresh(env.url, client, tokens.refresh_token));
    expect(renewed.scope).toBe("mcp/read mcp/write");
  });

  test("what was left out is asked about again, what was left is remembered", async () => {
    const client = await hostedClient(env.url);
    const { walker } = await attempt(env, { client, fields: { "scope.1": "1" } });
    const asked = async (scope: string) => (await attempt(env, { client, walker, params: { scope } })).asked;
    expect([await asked("mcp/write"), await asked("mcp/read"), await asked("mcp/export")]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test("a single scope has no box: there is Deny", async () => {
    const client = await register(env.url);
    const { pages, answer } = await attempt(env, { client, params: { scope: "mcp/read" } });
    expect(boxesOf(pages[0])).toEqual([]);
    expect(answer?.has("code")).toBe(true);
  });
});

describe("a page whose boxes are all cleared", () => {
  /** Presses the button of a page, which says that the page had boxes. */
  const press = async (page: Page, fields: Record<string, string>, cookie: string): Promise<Response> => {
    const request = /name="request" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
    const action = /formaction="([^"]+)"/.exec(page.body)?.[1] ?? "";
    return fetch(action, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ request, decision: "approve", ...fields }),
      headers: { cookie, origin: env.url, accept: "text/html" },
    });
  };

  test("comes again with a message, approves nothing, and can still be answered", async () => {
    const walker = createWalker();
    const page = await walker.get(authorizeUrl(env.url, await register(env.url), pkce()));
    const cookie = [...walker.cookies].map(([key, value]) => `${key.split(" ")[1]}=${value}`).join("; ");
    const seen = env.audit.length;
    const again = await press(page, {}, cookie);
    const body = await again.text();
    expect(again.status).toBe(400);
    expect(again.headers.getSetCookie()).toEqual([]);
    expect(body).toContain('role="alert" id="problem">Nothing is ticked.');
    expect(env.audit.slice(seen)).toMatchObject([{ action: "consent.refused", reason: "consent_scopes_empty" }]);
    const done = await press({ ...page, body }, { "scope.0": "1" }, cookie);
    expect(done.headers.get("location")).toContain(`${env.cognito.url}/oauth2/authorize`);
    expect(env.audit.at(-1)).toMatchObject({ action: "consent.approved", scope: "mcp/read" });
    // The page that was there first leads where the second one led: the request is answered.
    const late = await press(page, {}, cookie);
    expect(late.headers.get("location")).toBe(done.headers.get("location"));
  });
});
