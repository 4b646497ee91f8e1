import { beforeEach, describe, expect, test } from "vitest";
import { steppingClock } from "../../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../../crypto/index.ts";
import { OAuthError } from "../../errors/index.ts";
import { type GuardedAnswer, GuardedFetchError, type GuardedRequest } from "../../net/index.ts";
import { silentLogger, systemRandom } from "../../runtime/index.ts";
import { memoryStore, type Store } from "../../store/index.ts";
import type { ClientUse } from "../client.ts";
import { createMetadataDocuments } from "./index.ts";

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const url = "https://client.example/oauth/client.json";
const documentOf = (members: object = {}) => ({
  client_id: url,
  client_name: "Client",
  redirect_uris: ["https://client.example/callback"],
  ...members,
});

let clock: ReturnType<typeof steppingClock>;
let store: Store;
let writes: number;
let asked: GuardedRequest[];
let answer: () => GuardedAnswer | Promise<GuardedAnswer>;

const served = (document: unknown, headers: Record<string, string> = {}, status = 200): (() => GuardedAnswer) => {
  return () => ({
    status,
    headers: new Headers({ "content-type": "application/json", ...headers }),
    body: JSON.stringify(document),
  });
};
const status = (code: number, headers: Record<string, string> = {}) => served("", headers, code);
const down = (): GuardedAnswer => {
  throw new GuardedFetchError("unavailable", "client.example: no connection");
};

beforeEach(() => {
  clock = steppingClock();
  writes = 0;
  asked = [];
  answer = served(documentOf(), { "cache-control": "max-age=3600", etag: '"1"' });
  const memory = memoryStore({ clock, random: systemRandom });
  const counted = <A extends unknown[], R>(write: (...given: A) => R) => {
    return (...given: A): R => {
      writes += 1;
      return write(...given);
    };
  };
  store = { ...memory, put: counted(memory.put), swap: counted(memory.swap), delete: counted(memory.delete) };
});

/** One replica; those of a test share store, clock and world. */
const replica = (settings: { allowedHosts?: string[]; deniedHosts?: string[]; customSchemes?: string[] } = {}) =>
  createMetadataDocuments({
    settings: { enabled: true, deniedHosts: [], ...settings },
    policy: { callbackUrl: "https://auth.example.com/auth/callback", customSchemes: settings.customSchemes ?? [] },
    fetch: async (_url, request) => {
      asked.push(request);
      return answer();
    },
    assertionKeys: () => ({ find: async () => [] }),
    store,
    keys: deriveRootKeys(["a root secret of the tests, long enough"]),
    clock,
    random: systemRandom,
    logger: silentLogger,
  });

type Documents = ReturnType<typeof replica>;
const nameOf = async (documents: Documents, use: ClientUse = "sign_in") => (await documents.find(url, use)).name;
const reasonOf = (documents: Documents, use: ClientUse = "sign_in"): Promise<string> =>
  documents.find(url, use).then(
    ({ name }) => name,
    (error: unknown) => (error instanceof OAuthError ? `${error.reason} ${error.status}` : String(error)),
  );

/** A client that somebody has signed in with. */
async function kept(documents = replica()): Promise<Documents> {
  await documents.find(url, "sign_in");
  await documents.keepWhileUsed(url, clock.now() + 30 * day);
  return documents;
}

describe("while its lifetime lasts", () => {
  test("a document is asked for once", async () => {
    const documents = replica();
    await nameOf(documents);
    clock.advance(hour - 1);
    await nameOf(documents);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await nameOf(documents);
    expect(asked).toHaveLength(2);
  });

  test("also where its host forbids to keep it: for a minute", async () => {
    answer = served(documentOf(), { "cache-control": "no-store" });
    const documents = replica();
    await nameOf(documents);
    clock.advance(minute - 1);
    await nameOf(documents);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await nameOf(documents);
    expect(asked).toHaveLength(2);
  });

  test("and at most for a day", async () => {
    answer = served(documentOf(), { "cache-control": "max-age=31536000" });
    const documents = replica();
    await nameOf(documents);
    clock.advance(day);
    await nameOf(documents);
    expect(asked).toHaveLength(2);
  });
});

describe("after it", () => {
  test("its host is asked whether it still stands; 304 renews it", async () => {
    const documents = replica();
    await nameOf(documents);
    clock.advance(hour);
    answer = status(304);
    expect(await nameOf(documents)).toBe("Client");
    expect(asked[1]?.headers).toEqual({ "If-None-Match": '"1"' });
    clock.advance(hour - 1);
    await nameOf(documents);
    expect(asked).toHaveLength(2);
  });

  test("what its host then serves counts", async () => {
    const documents = replica();
    const before = await documents.find(url, "sign_in");
    clock.advance(hour);
    answer = served(documentOf({ client_name: "Renamed" }));
    const after = await documents.find(url, "sign_in");
    expect([after.name, after.knownSince]).toEqual(["Renamed", before.knownSince]);
  });

  test("304 that nobody asked for is no document", async () => {
    answer = status(304);
    expect(await reasonOf(replica())).toBe("client_document_unavailable 503");
    expect(asked[0]?.headers).toEqual({});
  });
});

describe("answers that are no document", () => {
  test.each<[string, () => GuardedAnswer, string]>([
    ["404", status(404), "client_document_gone 400"],
    ["410", status(410), "client_document_gone 400"],
    ["a redirect", status(302, { location: "https://client.example/other" }), "client_document_invalid 400"],
    ["201", served(documentOf(), {}, 201), "client_document_unavailable 503"],
    ["403", status(403), "client_document_unavailable 503"],
    ["500", status(500), "client_document_unavailable 503"],
    ["HTML", served(documentOf(), { "content-type": "text/html" }), "client_document_invalid 400"],
    ["no media type", served(documentOf(), { "content-type": "" }), "client_document_invalid 400"],
    [
      "JSON of another kind",
      served(documentOf(), { "content-type": "application/jsonp" }),
      "client_document_invalid 400",
    ],
    ["the wrong members", served({}), "client_document_invalid 400"],
    ["no connection", down, "client_document_unavailable 503"],
  ])("%s", async (_what, given, reason) => {
    answer = given;
    expect(await reasonOf(replica())).toBe(reason);
  });

  test.each(["application/json; charset=utf-8", "application/cimd+json", "Application/JSON"])(
    "%s is JSON",
    async (type) => {
      answer = served(documentOf(), { "content-type": type });
      expect(await nameOf(replica())).toBe("Client");
    },
  );

  test("at the other endpoints it is failed authentication", async () => {
    answer = status(404);
    expect(await reasonOf(replica(), "grant")).toBe("client_document_gone 401");
  });
});

describe("failures are remembered for a short while", () => {
  test.each<[string, () => GuardedAnswer, number]>([
    ["invalid", served({}), minute],
    ["gone", status(404), minute],
    ["unavailable", down, 10_000],
  ])("%s", async (_what, given, life) => {
    const documents = replica();
    answer = given;
    const reason = await reasonOf(documents);
    answer = served(documentOf());
    clock.advance(life - 1);
    expect(await reasonOf(documents)).toBe(reason);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(await reasonOf(documents)).toBe("Client");
  });
});

describe("what is written down", () => {
  test("nothing for a client that is named or approved, and nothing for a failure", async () => {
    const documents = replica();
    await documents.find(url, "sign_in");
    await documents.find(url, "grant");
    await documents.keepWhileUsed(url, clock.now());
    clock.advance(hour);
    answer = status(404);
    await reasonOf(documents);
    expect(writes).toBe(0);
  });

  test("a document that somebody signed in with, once, and its renewals", async () => {
    const documents = await kept();
    await documents.keepWhileUsed(url, clock.now() + 30 * day);
    expect(writes).toBe(1);
    clock.advance(hour);
    await nameOf(documents);
    expect(writes).toBe(2);
  });

  test("another replica, or one that was started anew, needs not ask", async () => {
    const first = await (await kept()).find(url, "sign_in");
    clock.advance(hour - 1);
    const again = await replica().find(url, "sign_in");
    expect([again.name, again.knownSince]).toEqual([first.name, first.knownSince]);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await nameOf(replica());
    expect(asked[1]?.headers).toEqual({ "If-None-Match": '"1"' });
  });

  test.each([
    ["until then its renewals are written", 60 * day - 1000, 2],
    ["then they are not any more", 60 * day, 1],
  ])("it outlives the longest grant by 30 days: %s", async (_what, passed, written) => {
    const documents = await kept();
    clock.advance(passed);
    await nameOf(documents, "grant");
    expect(writes).toBe(written);
  });

  test("rules that were changed meanwhile hold for it", async () => {
    answer = served(documentOf({ redirect_uris: ["cursor://client/callback"] }));
    await kept(replica({ customSchemes: ["cursor"] }));
    expect(await reasonOf(replica())).toBe("client_document_invalid 400");
  });
});

describe("for grants that exist, while the document cannot be fetched", () => {
  test.each<[string, () => GuardedAnswer]>([
    ["no connection", down],
    ["500", status(500)],
    ["403, as a site behind a bot wall answers", status(403)],
    [
      "a name that leads somewhere private for a while",
      () => {
        throw new GuardedFetchError("forbidden", "client.example leads to 0.0.0.0");
      },
    ],
  ])("%s: it serves up to seven days stale and no longer", async (_what, given) => {
    const documents = await kept();
    answer = given;
    clock.advance(hour);
    expect(await nameOf(documents, "grant")).toBe("Client");
    expect(await nameOf(replica(), "grant")).toBe("Client");
    clock.advance(7 * day - 1000);
    expect(await nameOf(documents, "grant")).toBe("Client");
    clock.advance(2000);
    expect(await reasonOf(documents, "grant")).toMatch(/^client_document_(?:unavailable 503|refused 401)$/);
    expect(await reasonOf(replica(), "grant")).toMatch(/^client_document_(?:unavailable 503|refused 401)$/);
  });

  test("but no new sign-in", async () => {
    const documents = await kept();
    answer = down;
    clock.advance(hour);
    expect(await reasonOf(documents, "sign_in")).toBe("client_document_unavailable 503");
  });

  test("and not for a client that nobody signed in with", async () => {
    const documents = replica();
    await nameOf(documents);
    answer = down;
    clock.advance(hour);
    expect(await reasonOf(documents, "grant")).toBe("client_document_unavailable 503");
  });

  test("nobody waits for it at every request", async () => {
    const documents = await kept();
    answer = down;
    clock.advance(hour);
    for (let i = 0; i < 5; i++) await nameOf(documents, "grant");
    expect(asked).toHaveLength(2);
  });

  test("a spray that uses up the fetches does not count against it", async () => {
    const documents = await kept();
    clock.advance(hour);
    for (let i = 0; i < 30; i++) await documents.find(`https://${i}.evil.example/c`, "sign_in").catch(() => undefined);
    expect(await documents.find("https://a.example/c", "grant").catch((error: unknown) => error)).toMatchObject({
      reason: "rate_limited",
      status: 429,
    });
    expect(await nameOf(documents, "grant")).toBe("Client");
    expect(await nameOf(documents, "sign_in")).toBe("Client");
  });
});

describe("found invalid or gone, it serves nobody any more", () => {
  test.each<[string, () => GuardedAnswer, string]>([
    ["404", status(404), "client_document_gone"],
    ["410", status(410), "client_document_gone"],
    ["turned invalid", served({ ...documentOf(), client_secret: "s" }), "client_document_invalid"],
  ])("%s: not for a grant, not after an outage, on no replica", async (_what, given, reason) => {
    const [one, two] = [await kept(), replica()];
    await nameOf(two);
    clock.advance(hour);
    answer = given;
    expect(await reasonOf(one, "grant")).toBe(`${reason} 401`);
    answer = down;
    expect(await reasonOf(two, "grant")).toBe("client_document_unavailable 503");
    expect(await reasonOf(replica(), "grant")).toBe("client_document_unavailable 503");
    clock.advance(2 * minute);
    expect(await reasonOf(one, "grant")).toBe("client_document_unavailable 503");
    expect(await reasonOf(two, "sign_in")).toBe("client_document_unavailable 503");
  });

  test("what another replica found valid a moment before counts no more", async () => {
    const [one, two] = [await kept(), replica()];
    clock.advance(hour);
    const late = Promise.withResolvers<GuardedAnswer>();
    answer = () => late.promise;
    const refused = reasonOf(one, "grant");
    while (asked.length < 2) await Promise.resolve();
    answer = served(documentOf(), { "cache-control": "max-age=86400" });
    expect(await nameOf(two, "grant")).toBe("Client");
    clock.advance(1000);
    late.resolve(status(410)());
    expect(await refused).toBe("client_document_gone 401");
    answer = status(410);
    expect(await reasonOf(two, "grant")).toBe("client_document_gone 401");
  });

  test("and the other way round: who looked later is believed, whoever writes later", async () => {
    const [one, two] = [await kept(), replica()];
    clock.advance(hour);
    const { swap } = store;
    const written = Promise.withResolvers<void>();
    store.swap = async (...given) => {
      store.swap = swap;
      await written.promise;
      return swap(...given);
    };
    const slow = nameOf(replica(), "grant");
    while (store.swap !== swap) await Promise.resolve();
    clock.advance(1000);
    answer = status(410);
    expect(await reasonOf(one, "grant")).toBe("client_document_gone 401");
    written.resolve();
    expect(await slow).toBe("Client");
    expect(await reasonOf(two, "grant")).toBe("client_document_gone 401");
  });

  test("it is asked for as if it had never been there", async () => {
    const documents = replica();
    await nameOf(documents);
    clock.advance(hour);
    answer = served({});
    await reasonOf(documents);
    clock.advance(minute);
    await reasonOf(documents);
    expect(asked.map(({ headers }) => headers)).toEqual([{}, { "If-None-Match": '"1"' }, {}]);
  });

  test("it comes back with its document, and is kept as before", async () => {
    const documents = await kept();
    const { knownSince } = await documents.find(url, "sign_in");
    clock.advance(hour);
    answer = status(404);
    await reasonOf(documents, "grant");
    clock.advance(minute);
    answer = served(documentOf());
    expect((await documents.find(url, "grant")).knownSince).toBe(knownSince);
    answer = down;
    clock.advance(2 * hour);
    expect(await nameOf(replica(), "grant")).toBe("Client");
  });
});

describe("trust policy", () => {
  test.each<[string, { allowedHosts?: string[]; deniedHosts?: string[] }, boolean]>([
    ["any host", {}, true],
    ["an allowed host", { allowedHosts: ["claude.ai", "client.example"] }, true],
    ["below an allowed domain", { allowedHosts: ["*.example"] }, true],
    ["not the domain itself", { allowedHosts: ["*.client.example"] }, false],
    ["not one that ends alike", { allowedHosts: ["ient.example"] }, false],
    ["no host at all", { allowedHosts: [] }, false],
    ["a denied host", { deniedHosts: ["client.example"] }, false],
    ["below a denied domain", { deniedHosts: ["*.example"] }, false],
    ["denied goes before allowed", { allowedHosts: ["client.example"], deniedHosts: ["client.example"] }, false],
  ])("%s", async (_what, settings, passes) => {
    expect(await reasonOf(replica(settings))).toBe(passes ? "Client" : "client_document_refused 400");
    expect(asked).toHaveLength(passes ? 1 : 0);
  });

  test("a host that is denied later serves nobody, though its document is held", async () => {
    await kept();
    expect(await reasonOf(replica({ deniedHosts: ["client.example"] }), "grant")).toBe("client_document_refused 401");
  });
});

test("an id that is not one is refused without a look at the store or the network", async () => {
  const broken = { ...store, get: () => Promise.reject(new Error("the store was asked")) };
  store = broken;
  const error = await replica()
    .find("https://client.example/a/../b", "sign_in")
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "invalid_client", reason: "client_document_refused", status: 400 });
  expect(String(error)).toContain("dot segment");
  expect(asked).toHaveLength(0);
});

test("a thousand documents are held, the one unasked for longest goes", async () => {
  const documents = replica();
  const at = (i: number) => `https://client.example/${i}`;
  const find = async (i: number) => {
    answer = served(documentOf({ client_id: at(i) }), { "cache-control": "max-age=86400" });
    clock.advance(6_000);
    return documents.find(at(i), "sign_in");
  };
  for (let i = 0; i < 1000; i++) await find(i);
  await find(0);
  await find(1000);
  asked.length = 0;
  await find(0);
  expect(asked).toHaveLength(0);
  await find(1);
  expect(asked).toHaveLength(1);
});
