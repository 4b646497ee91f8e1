import { beforeEach, describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";
import { createClientDirectory } from "./index.ts";

const hour = 3_600_000;
const day = 24 * hour;
const metadata = (name: string) => ({
  redirect_uris: ["http://127.0.0.1/callback"],
  client_name: name,
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
});

let clock: ReturnType<typeof steppingClock>;
let directory: ReturnType<typeof createClientDirectory>;

beforeEach(() => {
  clock = steppingClock();
  directory = createClientDirectory({
    config: {
      registration: { enabled: true, cap: 3, unusedTtl: day, customSchemes: [] },
      clients: {
        known: {
          name: "Known",
          redirectUris: ["https://app.example/cb"],
          secrets: ["old-secret", "new-secret"],
          firstParty: false,
        },
        open: { name: "Open", redirectUris: ["https://app.example/cb"], secrets: [], firstParty: false },
      },
    },
    store: memoryStore({ clock, random: systemRandom }),
    keys: deriveRootKeys(["a root secret of the tests, long enough"]),
    clock,
    random: systemRandom,
  });
});

const register = async (name: string) => (await directory.register(metadata(name))).clientId;

describe("registrations that never reach consent", () => {
  test("live 24 hours", async () => {
    const id = await register("one");
    clock.advance(day - 1000);
    expect((await directory.find(id))?.name).toBe("one");
    clock.advance(1001);
    expect(await directory.find(id)).toBeUndefined();
  });

  test("at the cap the oldest goes, and the new one is not refused", async () => {
    const ids = [await register("a"), await register("b"), await register("c"), await register("d")];
    const found = await Promise.all(ids.map((id) => directory.find(id)));
    expect(found.map((client) => client?.name)).toEqual([undefined, "b", "c", "d"]);
  });
});

describe("registrations that were used", () => {
  test("never make room for others", async () => {
    const used = await register("used");
    await directory.keepWhileUsed(used, clock.now());
    for (const name of ["b", "c", "d", "e", "f", "g"]) await register(name);
    expect((await directory.find(used))?.name).toBe("used");
  });

  test("outlive their longest grant by 30 days", async () => {
    const id = await register("long");
    await directory.keepWhileUsed(id, clock.now() + 60 * day);
    await directory.keepWhileUsed(id, clock.now() + 10 * day);
    clock.advance(90 * day - 1000);
    expect(await directory.find(id)).toBeDefined();
    clock.advance(1001);
    expect(await directory.find(id)).toBeUndefined();
  });

  test("are not brought back once they have ended", async () => {
    const id = await register("gone");
    clock.advance(2 * day);
    await directory.keepWhileUsed(id, clock.now() + 60 * day);
    expect(await directory.find(id)).toBeUndefined();
  });
});

describe("secrets", () => {
  test("both of a configured client's secrets hold, nothing else does", async () => {
    const client = await directory.find("known");
    expect(["old-secret", "new-secret", "old-secre", "", "new-secret "].map((s) => client?.secretMatches(s))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("a public client has none that could match", async () => {
    const client = await directory.find("open");
    expect(client?.authMethod).toBe("none");
    expect(client?.secretMatches("")).toBe(false);
  });

  test("a confidential registration gets one, told once", async () => {
    const answer = await directory.register({ ...metadata("web"), token_endpoint_auth_method: "client_secret_post" });
    const client = await directory.find(answer.clientId);
    expect(answer.clientSecret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(client?.secretMatches(answer.clientSecret ?? "")).toBe(true);
    expect(client?.secretMatches("another")).toBe(false);
  });
});
