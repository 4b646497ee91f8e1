import type { AssertedIdentity, IdentityAssertions } from "sallyport";
import { describe, expect, test } from "vitest";
import { type GatewayConfigInput, gatewaySection } from "../src/index.ts";
import { upstreamCredential } from "../src/proxy/upstream-credential.ts";
import { call, echo, startGateway, startUpstream } from "./support/gateway.ts";
import { manualClock } from "./support/manual-clock.ts";

type Settings = Partial<NonNullable<GatewayConfigInput["servers"]>[number]>;

/** Assertions that can be read, and how often one was made. */
function readable() {
  const state = { made: 0, fails: false };
  const sign = ({ kind, subject, clientId, scopes }: AssertedIdentity, audience: string): string =>
    `${++state.made}.${kind}.${subject}.${clientId}.${scopes.join("+")}.${audience}`;
  const open = async (): Promise<IdentityAssertions> => {
    if (state.fails) throw new Error("no keys");
    return { sign };
  };
  return { state, open };
}

async function start(settings: Settings) {
  const upstream = await startUpstream(echo);
  const { state, open } = readable();
  const server = (name: string) => ({ name, url: `${upstream.url}/mcp`, ...settings });
  const { servers } = gatewaySection.parse({ servers: [server("clock"), server("notes")] });
  const gateway = await startGateway({ clock: upstream.url }, { servers, identityAssertions: open });
  const seen = async (headers: Readonly<Record<string, string>> | readonly string[] = {}, path = "/clock/mcp") => {
    const body = JSON.stringify(call("now"));
    const flat = Array.isArray(headers)
      ? headers
      : Object.entries({ Authorization: "Bearer alice", ...headers }).flat();
    const answer = await gateway.send({
      method: "POST",
      path,
      headers: ["Content-Type", "application/json", ...flat],
      body,
    });
    expect(answer.status).toBe(200);
    const raw: string[] = JSON.parse(answer.body).rawHeaders;
    return (name: string) => raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name.toLowerCase());
  };
  return { upstream, gateway, state, seen };
}

describe("none", () => {
  test("is what a server is shown that wants nothing", async () => {
    const { seen } = await start({});
    const headers = await seen();
    expect([headers("authorization"), headers("x-sallyport-identity")]).toEqual([[], []]);
  });
});

describe("a header with a secret", () => {
  test("goes with every request, in the place of the client's token", async () => {
    const { seen, gateway } = await start({ secretHeader: { scheme: "Bearer", value: "s3cret" } });
    expect((await seen())("authorization")).toEqual(["Bearer s3cret"]);
    for (const method of ["GET", "DELETE"]) {
      expect((await gateway.send({ method, path: "/clock/mcp" })).body).toContain("Bearer s3cret");
    }
  });

  test.each([
    ["the same name", ["X-Api-Key", "mine"]],
    ["small letters", ["x-api-key", "mine"]],
    ["an underscore", ["X_Api_Key", "mine"]],
    ["a dot", ["X.Api.Key", "mine"]],
    ["other marks", ["X-Api|Key", "mine", "x!api~key", "mine"]],
    ["twice", ["X-Api-Key", "mine", "X-API-KEY", "mine too"]],
    ["named by Connection", ["Connection", "x-api-key", "X-Api-Key", "mine"]],
  ])("no client puts its own there: %s", async (_what, headers) => {
    const { seen } = await start({ secretHeader: { name: "X-Api-Key", value: "s3cret" } });
    const all = await seen(["Authorization", "Bearer alice", ...headers]);
    expect(all("x-api-key")).toEqual(["s3cret"]);
    for (const name of headers.filter((_, i) => i % 2 === 0 && i >= 0)) {
      expect(all(name).filter((value) => value.includes("mine"))).toEqual([]);
    }
  });

  test("is in no answer, no log and no audit event", async () => {
    const { gateway, upstream } = await start({ secretHeader: { value: "s3cret" } });
    await gateway.post(call("now"), { Authorization: "Bearer nobody" });
    await upstream.close();
    const answer = await gateway.post(call("now"));
    expect(answer.status).toBe(502);
    expect(JSON.stringify([answer, gateway.logs, gateway.events])).not.toContain("s3cret");
  });
});

describe("an identity assertion", () => {
  test("says who asks, for the server's origin, and no other header does", async () => {
    const { seen, upstream } = await start({ identityAssertion: {} });
    const headers = await seen({
      "X-Sallyport-Identity": "forged",
      "X-User": "forged",
      "x-sallyport_identity": "forged",
    });
    expect(headers("x-sallyport-identity")).toEqual([`1.user.sub-alice.client-1.mcp/read+mcp/write.${upstream.url}`]);
    expect(headers("authorization")).toEqual([]);
  });

  test("may have another header, scheme and audience, beside a secret", async () => {
    const { seen } = await start({
      identityAssertion: { header: "Authorization", scheme: "Bearer", audience: "notes-service" },
      secretHeader: { name: "X-Api-Key", value: "s3cret" },
    });
    const headers = await seen();
    expect(headers("authorization")).toEqual([expect.stringMatching(/^Bearer 1\.user\..*\.notes-service$/)]);
    expect(headers("x-api-key")).toEqual(["s3cret"]);
  });

  test("is made once for a principal, a server and half of its life", async () => {
    const { seen, state, gateway } = await start({ identityAssertion: {} });
    const first = (await seen())("x-sallyport-identity");
    expect((await seen())("x-sallyport-identity")).toEqual(first);
    expect((await seen({}, "/notes/mcp"))("x-sallyport-identity")).not.toEqual(first);
    expect((await seen({ Authorization: "Bearer bob" }))("x-sallyport-identity")[0]).toContain("sub-bob");
    expect((await seen({ Authorization: "Bearer alice2" }))("x-sallyport-identity")[0]).toContain("client-2.mcp/read.");
    expect((await seen({ Authorization: "Bearer robot" }))("x-sallyport-identity")[0]).toContain("machine.sub-alice");
    expect(state.made).toBe(5);
    await gateway.clock.advance(29_999);
    expect((await seen())("x-sallyport-identity")).toEqual(first);
    await gateway.clock.advance(1);
    expect((await seen())("x-sallyport-identity")).not.toEqual(first);
    expect(state.made).toBe(6);
  });

  test("is made anew in time for a principal that stays the very same as well", async () => {
    const clock = manualClock();
    const { state, open } = readable();
    const [server] = gatewaySection.parse({
      servers: [{ name: "clock", url: "http://127.0.0.1:1/", identityAssertion: {} }],
    }).servers;
    if (!server) throw new Error("no server");
    const credential = upstreamCredential(server, { clock, identityAssertions: open });
    const alice = { kind: "user", subject: "a", clientId: "c", groups: [], scopes: [] } as const;
    const made = async () => {
      await credential?.headersFor(alice);
      return state.made;
    };
    expect([await made(), await made()]).toEqual([1, 1]);
    // Once the keys are there nothing is waited for.
    expect(credential?.headersFor(alice)).toEqual(["X-Sallyport-Identity", expect.any(String)]);
    await clock.advance(30_000);
    expect(await made()).toBe(2);
  });

  test("with other scopes it is another one", async () => {
    const { seen, gateway } = await start({ identityAssertion: {} });
    await seen();
    gateway.tokens.holders.set("alice", { subject: "sub-alice", scopes: ["mcp/read"] });
    expect((await seen())("x-sallyport-identity")[0]).toContain(".mcp/read.http");
  });

  test("where none can be made the request waits for no answer: 503, and it works again by itself", async () => {
    const upstream = await startUpstream(echo);
    const { state, open } = readable();
    state.fails = true;
    const { servers } = gatewaySection.parse({
      servers: [{ name: "clock", url: upstream.url, identityAssertion: {} }],
    });
    const gateway = await startGateway({ clock: upstream.url }, { servers, identityAssertions: open });
    const answer = await gateway.post(call("now"));
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
    state.fails = false;
    expect((await gateway.post(call("now"))).status).toBe(200);
  });

  test("a gateway that nothing signs for does not start", async () => {
    const { servers } = gatewaySection.parse({
      servers: [{ name: "clock", url: "http://127.0.0.1:1/", identityAssertion: {} }],
    });
    await expect(startGateway({ clock: "http://127.0.0.1:1/" }, { servers })).rejects.toThrow(
      /needed for the server clock/,
    );
  });
});
