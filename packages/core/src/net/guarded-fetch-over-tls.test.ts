import { duplexPair } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { createGuardedFetch, GuardedFetchError, type Network } from "./index.ts";

const request = { accept: "application/json", maxBytes: 64, timeoutMs: 2_000 };
const url = "https://client.example/oauth/client.json";
const ok = (body: string, headers = "") => `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

interface World {
  /** What the names have; asked at each resolution. */
  readonly addresses?: () => readonly string[] | Promise<readonly string[]>;
  /** What the other side writes once it has been asked; the pieces one after the other. Undefined: nothing ever. */
  readonly answer?: readonly (string | Buffer)[];
  /** Addresses that refuse a connection, and addresses that never answer. */
  readonly refusing?: readonly string[];
  readonly silent?: readonly string[];
  /** Whether the other side ends the connection after its answer. */
  readonly ends?: boolean;
}

/** A fetch in a small world, and a record of what it did there. */
function fetchIn(world: World) {
  const seen = { resolved: [] as string[], connected: [] as string[], asked: [] as string[], ended: 0 };
  const network: Network = {
    async resolve(host) {
      seen.resolved.push(host);
      const found = (await world.addresses?.()) ?? ["8.8.8.8"];
      return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
    async connect({ address, port, servername, signal }) {
      seen.connected.push(`${address} ${port} ${servername}`);
      if (world.refusing?.includes(address)) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      if (world.silent?.includes(address)) {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
      }
      const [ours, theirs] = duplexPair();
      theirs.once("data", (chunk: Buffer) => {
        seen.asked.push(chunk.toString());
        for (const piece of world.answer ?? []) theirs.write(piece);
        if (world.ends) theirs.end();
      });
      theirs.on("error", () => undefined);
      signal.addEventListener("abort", () => {
        seen.ended += 1;
        ours.destroy();
      });
      return ours;
    },
  };
  return { fetch: createGuardedFetch({ network, clock: systemClock }), seen };
}

const failureOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: unknown) => (error instanceof GuardedFetchError ? error.failure : String(error)),
  );

test("an answer comes back whole; the request names host and media type, and asks for no coding and no reuse", async () => {
  const { fetch, seen } = fetchIn({ answer: [ok("héllo", 'ETag: "1"\r\n').replace("Length: 5", "Length: 6")] });
  const answer = await fetch(url, { ...request, headers: { "If-None-Match": '"0"' } });
  expect([answer.status, answer.body, answer.headers.get("etag")]).toEqual([200, "héllo", '"1"']);
  expect(seen.connected).toEqual(["8.8.8.8 443 client.example"]);
  const [head = ""] = seen.asked;
  expect(head.split("\r\n")[0]).toBe("GET /oauth/client.json HTTP/1.1");
  for (const line of ["Host: client.example", "Accept: application/json", "Accept-Encoding: identity"]) {
    expect(head).toContain(`\r\n${line}\r\n`);
  }
  expect(head).toContain("\r\nConnection: close\r\n");
  expect(head).toContain('\r\nIf-None-Match: "0"\r\n');
  expect(seen.ended).toBe(1);
});

describe("addresses", () => {
  test.each([
    ["10.0.0.1"],
    ["127.0.0.2"],
    ["100.64.0.1"],
    ["169.254.169.254"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["64:ff9b::10.0.0.1"],
    ["fd00::1"],
  ])("%s is not asked", async (address) => {
    const { fetch, seen } = fetchIn({ addresses: () => [address], answer: [ok("{}")] });
    expect(await failureOf(fetch(url, request))).toBe("forbidden");
    expect(seen.connected).toEqual([]);
  });

  test("one private address among public ones refuses the name", async () => {
    const { fetch, seen } = fetchIn({ addresses: () => ["8.8.8.8", "2606:4700::1", "10.0.0.1"], answer: [ok("{}")] });
    expect(await failureOf(fetch(url, request))).toBe("forbidden");
    expect(seen.connected).toEqual([]);
  });

  test("rebinding: the name is resolved once, and the connection goes to that very answer", async () => {
    let asked = 0;
    const { fetch, seen } = fetchIn({ addresses: () => [asked++ === 0 ? "8.8.8.8" : "127.0.0.1"], answer: [ok("{}")] });
    expect((await fetch(url, request)).status).toBe(200);
    expect([seen.resolved, seen.connected]).toEqual([["client.example"], ["8.8.8.8 443 client.example"]]);
  });

  test("the next address is tried where one refuses, and where one is silent", async () => {
    const addresses = () => ["2606:4700::1", "2606:4700::2", "8.8.8.8"];
    const { fetch, seen } = fetchIn({
      addresses,
      refusing: ["2606:4700::1"],
      silent: ["2606:4700::2"],
      answer: [ok("{}")],
    });
    expect((await fetch(url, { ...request, timeoutMs: 400 })).status).toBe(200);
    expect(seen.connected).toHaveLength(3);
  });

  test("a name with very many addresses does not make us knock at all of them", async () => {
    const many = Array.from({ length: 50 }, (_, index) => `8.8.8.${index}`);
    const { fetch, seen } = fetchIn({ addresses: () => many, refusing: many });
    expect(await failureOf(fetch(url, request))).toBe("unavailable");
    expect(seen.connected).toHaveLength(3);
  });

  test("no address", async () => {
    expect(await failureOf(fetchIn({ addresses: () => [] }).fetch(url, request))).toBe("unavailable");
  });
});

describe("URLs that are not asked, and not even resolved", () => {
  test.each([
    "http://client.example/",
    "https://client.example:8443/",
    "https://user@client.example/",
    "https://8.8.8.8/",
    "https://0x08080808/",
    "https://134744072/",
    "https://[2606:4700::1111]/",
    "https://localhost/",
    "https://intranet/",
    "https://client.example./",
    "ftp://client.example/",
    "client.example",
  ])("%s", async (refused) => {
    const { fetch, seen } = fetchIn({ answer: [ok("{}")] });
    expect(await failureOf(fetch(refused, request))).toBe("forbidden");
    expect(seen.resolved).toEqual([]);
  });
});

describe("answers", () => {
  test("a redirect is an answer, and not followed", async () => {
    const head = "HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    const { fetch, seen } = fetchIn({ answer: [head] });
    expect((await fetch(url, request)).status).toBe(302);
    expect([seen.resolved, seen.connected.length]).toEqual([["client.example"], 1]);
  });

  test.each<[string, World, string]>([
    ["as long as allowed", { answer: [ok("x".repeat(64))] }, "none"],
    ["one byte longer, as it says itself", { answer: ["HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"] }, "too_large"],
    [
      "longer, in chunks of unknown number",
      {
        answer: [
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
          `28\r\n${"x".repeat(40)}\r\n`,
          `28\r\n${"x".repeat(40)}\r\n`,
        ],
      },
      "too_large",
    ],
    ["longer, until the end", { answer: ["HTTP/1.1 200 OK\r\n\r\n", "x".repeat(65)], ends: true }, "too_large"],
    ["cut short", { answer: ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"], ends: true }, "unavailable"],
    ["not HTTP", { answer: ["SSH-2.0-OpenSSH_9.7\r\n"] }, "unavailable"],
    ["an endless head", { answer: [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}\r\n\r\n`] }, "unavailable"],
    ["coded", { answer: [ok("{}", "Content-Encoding: gzip\r\n")] }, "malformed"],
    ["not UTF-8", { answer: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Buffer.from([0xc3, 0x28])] }, "malformed"],
  ])("%s: %s", async (_what, world, failure) => {
    expect(await failureOf(fetchIn(world).fetch(url, request))).toBe(failure);
  });

  test.each<[string, World]>([
    ["a name that is not resolved", { addresses: () => new Promise(() => undefined) }],
    ["a connection that is not made", { silent: ["8.8.8.8"] }],
    ["a head that does not come", {}],
    ["a body that does not end", { answer: ["HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", "x".repeat(10)] }],
  ])("one deadline over everything: %s", async (_what, world) => {
    const { fetch } = fetchIn(world);
    expect(await failureOf(fetch(url, { ...request, timeoutMs: 60 }))).toBe("unavailable");
  });

  test("an answer that comes drop by drop is not waited for beyond the deadline, and its connection is ended", async () => {
    const { fetch, seen } = fetchIn({ answer: ["HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"] });
    expect(await failureOf(fetch(url, { ...request, timeoutMs: 60 }))).toBe("unavailable");
    expect(seen.ended).toBe(1);
  });
});

describe("no proxy", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("of the environment is used", async () => {
    for (const name of ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"])
      vi.stubEnv(name, "http://127.0.0.1:9");
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    const { fetch, seen } = fetchIn({ answer: [ok("{}")] });
    expect((await fetch(url, request)).status).toBe(200);
    expect(seen.connected).toEqual(["8.8.8.8 443 client.example"]);
  });
});
