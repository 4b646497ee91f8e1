import { afterAll, beforeAll, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, postToken, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

const minute = 60_000;

let env: TestEnvironment;
let tokens: Readonly<Record<"alice" | "bob" | "machine", string>>;

beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      quotas: [
        { per: ["principal"], limit: 3, groups: ["mcp-readers"] },
        { per: ["principal", "tool"], limit: 2, tools: ["add_note"], window: "31d" },
        { per: ["principal"], limit: 4, machines: ["demomachine"], servers: ["notes"] },
      ],
    }),
  });
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/notes/mcp` };
  tokens = {
    alice: await userToken("alice"),
    bob: await userToken("bob"),
    machine: (await tokenAnswer(await postToken(env.url, form))).access_token,
  };
}, 60_000);
afterAll(() => env.close());

async function userToken(name: string): Promise<string> {
  const [client, pair] = [await register(env.url), pkce()];
  const url = authorizeUrl(env.url, client, pair, { resource: `${env.url}/notes/mcp` });
  const code = new URL(await signIn(url, demoUser(env, name))).searchParams.get("code") ?? "";
  return (await tokenAnswer(await redeem(env.url, client, code, pair))).access_token;
}

const statuses = async (who: keyof typeof tokens, tool: string, times: number): Promise<readonly number[]> => {
  const found: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const params = { name: tool, arguments: tool === "add_note" ? { text: "x" } : {} };
    const response = await fetch(statelessRequest(`${env.url}/notes/mcp`, tokens[who], "tools/call", params));
    await response.text();
    found.push(response.status);
  }
  return found;
};

/** To the start of a minute of the wall clock; tokens live on. */
const nextMinute = (): void => env.clock.advance(minute - (env.clock.now() % minute) + 1);

test("readers, machines and a costly tool have quotas of their own; the rest has none", async () => {
  nextMinute();
  expect(await statuses("bob", "list_notes", 4)).toEqual([200, 200, 200, 429]);
  expect(await statuses("machine", "list_notes", 5)).toEqual([200, 200, 200, 200, 429]);
  expect(await statuses("alice", "list_notes", 6)).toEqual(Array(6).fill(200));
  expect(await statuses("alice", "add_note", 3)).toEqual([200, 200, 429]);
  const refused = env.audit.filter(({ reason }) => reason === "quota_exceeded");
  expect(refused.map(({ because, tool }) => `${because} ${tool}`)).toEqual([
    "quotas[0] list_notes",
    "quotas[2] list_notes",
    "quotas[1] add_note",
  ]);
  nextMinute();
  expect(await statuses("bob", "list_notes", 1)).toEqual([200]);
  expect(await statuses("alice", "add_note", 1)).toEqual([429]);
});

test("what the policy denies a reader stays 403 and uses up nothing", async () => {
  nextMinute();
  expect(await statuses("bob", "add_note", 5)).toEqual(Array(5).fill(403));
  expect(await statuses("bob", "list_notes", 4)).toEqual([200, 200, 200, 429]);
});
