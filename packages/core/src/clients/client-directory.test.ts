import { generateKeyPairSync } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";
import { createAssertionKeys, createClientDirectory, secretHash } from "./index.ts";

const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
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
      registration: {
        enabled: true,
        cap: 3,
        unusedTtl: day,
        customSchemes: [],
        publicClientPatterns: ["*"],
        initialAccessTokens: [],
        allowedScopes: ["mcp/all"],
        defaultScopes: ["mcp/default"],
      },
      clients: {
        known: {
          name: "Known",
          redirectUris: ["https://app.example/cb"],
          secretHashes: ["old-secret", "new-secret"].map(secretHash),
          firstParty: false,
        },
        open: { name: "Open", redirectUris: ["https://app.example/cb"], secretHashes: [], firstParty: false },
        keyed: {
          name: "Keyed",
          redirectUris: ["https://app.example/cb"],
          secretHashes: [],
          jwks: { keys: [jwk] },
          firstParty: false,
        },
      },
    },
    store: memoryStore({ clock, random: systemRandom }),
    keys: deriveRootKeys(["a root secret of the tests, long enough"]),
    clock,
    random: systemRandom,
    assertionKeys: createAssertionKeys({
      clock,
      fetch: async () => ({ status: 200, headers: new Headers(), body: JSON.stringify({ keys: [jwk] }) }),
    }),
    documents: undefined,
  });
});

const register = async (name: string) => (await directory.register(metadata(name))).clientId;

describe("registrations that never reach consent", () => {
  test("live 24 hours", async () => {
    const id = await register("one");
    clock.advance(day - 1000);
    expect((await directory.find(id, "grant"))?.name).toBe("one");
    clock.advance(1001);
    expect(await directory.find(id, "grant")).toBeUndefined();
  });

  test("at the cap the oldest goes, and the new one is not refused", async () => {
    const ids = [await register("a"), await register("b"), await register("c"), await register("d")];
    const found = await Promise.all(ids.map((id) => directory.find(id, "grant")));
    expect(found.map((client) => client?.name)).toEqual([undefined, "b", "c", "d"]);
  });
});

describe("registrations that were used", () => {
  test("never make room for others", async () => {
    const used = await register("used");
    await directory.keepWhileUsed(used, clock.now());
    for (const name of ["b", "c", "d", "e", "f", "g"]) await register(name);
    expect((await directory.find(used, "grant"))?.name).toBe("used");
  });

  test("outlive their longest grant by 30 days", async () => {
    const id = await register("long");
    await directory.keepWhileUsed(id, clock.now() + 60 * day);
    await directory.keepWhileUsed(id, clock.now() + 10 * day);
    clock.advance(90 * day - 1000);
    expect(await directory.find(id, "grant")).toBeDefined();
    clock.advance(1001);
    expect(await directory.find(id, "grant")).toBeUndefined();
  });

  test("are not brought back once they have ended", async () => {
    const id = await register("gone");
    clock.advance(2 * day);
    await directory.keepWhileUsed(id, clock.now() + 60 * day);
    expect(await directory.find(id, "grant")).toBeUndefined();
  });
});

describe("how a client authenticates", () => {
  /** What each way of a client says of a secret; a method's name where it does not take one. */
  const tried = async (clientId: string, ...secrets: readonly string[]) =>
    (await directory.find(clientId, "grant"))?.authentication.map((way) =>
      way.method === "client_secret" ? secrets.map(way.matches) : way.method,
    );

  test("both of a configured client's secrets hold, nothing else does", async () => {
    expect(await tried("known", "old-secret", "new-secret", "old-secre", "", "new-secret ")).toEqual([
      [true, true, false, false, false],
    ]);
  });

  test("without secret and keys it is public", async () => {
    expect(await tried("open")).toEqual(["none"]);
  });

  test("with keys it has no other way", async () => {
    expect(await tried("keyed")).toEqual(["private_key_jwt"]);
  });

  test("a confidential registration gets a secret, told once", async () => {
    const answer = await directory.register({ ...metadata("web"), token_endpoint_auth_method: "client_secret_post" });
    expect(answer.clientSecret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await tried(answer.clientId, answer.clientSecret ?? "", "another")).toEqual([[true, false]]);
  });

  test.each([
    ["jwks", { jwks: { keys: [jwk] } }],
    ["jwks_uri", { jwks_uri: "https://app.example/jwks" }],
  ])("a registration with %s gets no secret: its keys are asked for", async (_, keys) => {
    const answer = await directory.register({
      ...metadata("signs"),
      token_endpoint_auth_method: "private_key_jwt",
      ...keys,
    });
    expect(answer).not.toHaveProperty("clientSecret");
    const [way] = (await directory.find(answer.clientId, "grant"))?.authentication ?? [];
    expect(way?.method === "private_key_jwt" && (await way.keys.find("ES256", undefined))).toHaveLength(1);
  });
});

describe("scopes of a client that registered itself", () => {
  test.each([
    ["registered", "mcp/read openid", ["mcp/read"]],
    ["of sign-ins only", "openid", ["mcp/default"]],
    ["left out", undefined, ["mcp/default"]],
  ])("%s", async (_, scope, expected) => {
    const { clientId } = await directory.register({ ...metadata("a"), ...(scope === undefined ? {} : { scope }) });
    const client = await directory.find(clientId, "grant");
    expect([client?.allowedScopes, client?.defaultScopes]).toEqual([["mcp/all"], expected]);
  });
});
