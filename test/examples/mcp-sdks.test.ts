import { signInProvider } from "sallyport/client";
import { expect, test } from "vitest";
import { callTool, tokenFolder } from "../client-side/session.ts";
import { signIn } from "../support/browser-walk.ts";
import { accessTokenAt, exampleUsers, startExample } from "../support/example.ts";

/** A user's program: SDK v2's client, with its own browser. */
function programOf(url: string, user: keyof typeof exampleUsers) {
  const scopes: (string | null)[] = [];
  const provider = signInProvider({
    serverUrl: `${url}/mcp`,
    clientName: "Test program",
    folder: tokenFolder(),
    browser: {
      open(page) {
        scopes.push(page.searchParams.get("scope"));
        void signIn(page.href, exampleUsers[user]).then((location) => fetch(location));
      },
    },
  });
  return {
    scopes,
    call: (name: string, args: Record<string, unknown> = {}) => callTool(`${url}/mcp`, provider, name, args),
  };
}

test.each(["mcp-sdk-v2", "mcp-sdk-v1"])("the example %s asks for more when a tool needs it", async (name) => {
  const { url } = await startExample(name);
  const alice = programOf(url, "writer");
  expect(await alice.call("list_notes")).toBe("Notes of alice: none");
  expect(alice.scopes).toHaveLength(1);
  expect(alice.scopes[0]).not.toContain("notes/write");

  // A second sign-in in the middle of the call, and the call goes on.
  expect(await alice.call("add_note", { text: "milk" })).toMatch(/^Written by ./);
  expect(alice.scopes).toHaveLength(2);
  expect(alice.scopes[1]).toContain("notes/write");
  expect(await alice.call("list_notes")).toBe("Notes of alice: milk");

  // Whom no sign-in would help is not sent through one.
  const bob = programOf(url, "reader");
  expect(await bob.call("list_notes")).toBe("Notes of bob: none");
  await expect(bob.call("add_note", { text: "milk" })).rejects.toThrow(/may not use this/);
  expect(bob.scopes).toHaveLength(1);
});

test("the example fastmcp shows a user the tools that are theirs", async () => {
  const { url } = await startExample("fastmcp");
  const alice = programOf(url, "writer");
  expect(await alice.call("list_notes")).toBe("Notes of alice: none");
  await expect(alice.call("add_note", { text: "milk" })).rejects.toThrow();

  const token = await accessTokenAt(url, exampleUsers.writer, { scope: "notes/read notes/write" });
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const params = { name: "add_note", arguments: { text: "milk" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const answer = await fetch(`${url}/mcp`, { method: "POST", headers, body });
  expect(await answer.text()).toContain("Written");
  expect(await alice.call("list_notes")).toBe("Notes of alice: milk");
});

test("the example client signs in by a page that the user opens, once more for a tool that writes, and signs out", async () => {
  const example = await startExample("client");
  for (let times = 0; times < 2; times += 1) {
    const line = await example.waitForLine((text) => text.startsWith("open "));
    const done = await fetch(await signIn(line.replace("open ", ""), exampleUsers.writer));
    expect(await done.text()).toContain("You may close this page");
  }
  await example.waitForLine((text) => text === "Notes of alice: milk");
  await example.waitForLine((text) => text === "signed out");
});
