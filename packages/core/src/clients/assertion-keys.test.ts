import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { type GuardedAnswer, GuardedFetchError } from "../net/guarded-fetch.ts";
import { createAssertionKeys } from "./index.ts";

const url = "https://app.example/jwks";
const minute = 60_000;
const newJwk = (kid: string, more: object = {}): Record<string, unknown> => ({
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }),
  kid,
  ...more,
});
const rsaJwk = (modulusLength: number) =>
  generateKeyPairSync("rsa", { modulusLength }).publicKey.export({ format: "jwk" });

const published = (body: unknown, status = 200, caching: string | undefined = "max-age=600"): GuardedAnswer => ({
  status,
  headers: new Headers(caching === undefined ? {} : { "cache-control": caching }),
  body: typeof body === "string" ? body : JSON.stringify(body),
});

function room() {
  const clock = steppingClock();
  const site = {
    keys: [newJwk("one")],
    fetches: 0,
    answer: async (): Promise<GuardedAnswer> => published({ keys: site.keys }),
  };
  const open = createAssertionKeys({
    clock,
    fetch: (asked, request) => {
      site.fetches += 1;
      expect([asked, request.maxBytes, request.timeoutMs]).toEqual([url, 65_536, 3_000]);
      return site.answer();
    },
  });
  const keys = open({ jwksUri: url });
  /** How many keys are found. */
  const found = async (alg: string, kid?: string, anew?: "anew") => (await keys.find(alg, kid, anew)).length;
  return { clock, site, open, keys, found };
}

const unavailable = { code: "temporarily_unavailable", reason: "client_keys_unavailable", status: 503 };
const down = () => Promise.reject(new GuardedFetchError("unavailable", "app.example: no connection"));

describe("keys that can be used", () => {
  const ec = newJwk("ec");
  test.each<[string, Record<string, unknown>, string, number]>([
    ["an EC key for ES256", ec, "ES256", 1],
    ["an EC key for RS256", ec, "RS256", 0],
    ["an RSA key for RS256", rsaJwk(2048), "RS256", 1],
    ["an RSA key for PS256", rsaJwk(2048), "PS256", 1],
    ["an RSA key that says it is for PS256", { ...rsaJwk(2048), alg: "PS256" }, "RS256", 0],
    ["an RSA key that is too short", rsaJwk(1024), "RS256", 0],
    ["an Ed25519 key", generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), "EdDSA", 1],
    [
      "another curve",
      generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }),
      "ES256",
      0,
    ],
    ["Ed448", generateKeyPairSync("ed448").publicKey.export({ format: "jwk" }), "EdDSA", 0],
    ["a key for encryption", { ...ec, use: "enc" }, "ES256", 0],
    ["a key for signatures", { ...ec, use: "sig", key_ops: ["verify"] }, "ES256", 1],
    ["a key that may not verify", { ...ec, key_ops: ["sign"] }, "ES256", 0],
    [
      "a private key",
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }),
      "ES256",
      0,
    ],
    ["a symmetric key", { kty: "oct", k: "c2VjcmV0" }, "ES256", 0],
    ["a point that is not on the curve", { ...ec, x: ec.y, y: ec.y }, "ES256", 0],
    ["no key at all", { kty: "EC", crv: "P-256" }, "ES256", 0],
  ])("%s", async (_, jwk, alg, count) => {
    const { open } = room();
    expect(await open({ jwks: { keys: [jwk] } }).find(alg, undefined)).toHaveLength(count);
  });

  test("useless ones beside them do not matter, and are not among what is tried", async () => {
    const { open, site } = room();
    const keys = open({ jwks: { keys: [{ kty: "oct" }, newJwk("a"), {}, newJwk("b")] } });
    expect(await keys.find("ES256", undefined)).toHaveLength(2);
    expect(await keys.find("ES256", "a")).toHaveLength(1);
    expect(await keys.find("ES256", "c")).toEqual([]);
    expect(await keys.find("ES256", "a", "anew")).toEqual([]);
    expect(site.fetches).toBe(0);
  });
});

describe("keys that are published", () => {
  test("are fetched once for many, and again when they are old", async () => {
    const { clock, site, open, found } = room();
    await Promise.all([found("ES256", "one"), found("ES256"), open({ jwksUri: url }).find("ES256", "one")]);
    clock.advance(10 * minute - 1);
    expect([await found("ES256", "one"), site.fetches]).toEqual([1, 1]);
    clock.advance(1);
    expect([await found("ES256", "one"), site.fetches]).toEqual([1, 2]);
  });

  test.each([
    ["max-age=120", 2 * minute],
    ["max-age=1", 1 * minute],
    ["no-store", 1 * minute],
    ["max-age=9999999", 1440 * minute],
    ["", 60 * minute],
  ])("are kept as the answer says, within bounds: %j", async (caching, lifetime) => {
    const { clock, site, found } = room();
    site.answer = async () => published({ keys: site.keys }, 200, caching);
    await found("ES256", "one");
    clock.advance(lifetime - 1);
    expect([await found("ES256", "one"), site.fetches]).toEqual([1, 1]);
    clock.advance(1);
    expect([await found("ES256", "one"), site.fetches]).toEqual([1, 2]);
  });

  test("a new kid is found at once, but a spray of kids makes one fetch in 30 s", async () => {
    const { clock, site, found } = room();
    expect(await found("ES256", "one")).toBe(1);
    clock.advance(30_000);
    site.keys = [newJwk("two")];
    expect([await found("ES256", "two"), site.fetches]).toEqual([1, 2]);
    for (let i = 0; i < 50; i++) expect(await found("ES256", `kid-${i}`)).toBe(0);
    expect(site.fetches).toBe(2);
    clock.advance(30_000);
    await Promise.all(Array.from({ length: 50 }, (_, i) => found("ES256", `kid-${i}`)));
    expect(site.fetches).toBe(3);
  });

  test("anew: a key changed under the same name is found, as seldom", async () => {
    const { clock, site, keys, found } = room();
    const [before] = await keys.find("ES256", "one");
    site.keys = [newJwk("one")];
    expect(await found("ES256", "one", "anew")).toBe(0);
    clock.advance(30_000);
    const [after] = await keys.find("ES256", "one", "anew");
    expect(after?.equals(before ?? after)).toBe(false);
    expect(site.fetches).toBe(2);
  });

  test.each<[string, () => Promise<GuardedAnswer>]>([
    ["no answer", down],
    ["404", async () => published({ keys: [] }, 404)],
    ["a redirect", async () => published("", 302)],
    ["a page", async () => published("<html>")],
    ["no key set", async () => published({ keys: "x" })],
  ])("%s: 503, nothing is said against the client, and it is asked again after 5 s", async (_, answer) => {
    const here = room();
    const good = here.site.answer;
    here.site.answer = answer;
    await expect(here.found("ES256", "one")).rejects.toMatchObject(unavailable);
    await expect(here.found("ES256", "one")).rejects.toMatchObject(unavailable);
    expect(here.site.fetches).toBe(1);
    here.clock.advance(5_000);
    here.site.answer = good;
    expect(await here.found("ES256", "one")).toBe(1);
  });

  test("while they cannot be fetched the known ones count for another hour", async () => {
    const { clock, site, found } = room();
    expect(await found("ES256", "one")).toBe(1);
    site.answer = down;
    clock.advance(69 * minute);
    expect(await found("ES256", "one")).toBe(1);
    // Whether there is such a key cannot be told.
    await expect(found("ES256", "two")).rejects.toMatchObject(unavailable);
    clock.advance(1 * minute);
    await expect(found("ES256", "one")).rejects.toMatchObject(unavailable);
  });

  test("of a set that is too large not every key is tried", async () => {
    const { site, found } = room();
    site.keys = Array.from({ length: 40 }, (_, i) => newJwk(`${i}`));
    expect(await found("ES256")).toBe(32);
  });

  test("a fault of our own is not taken for an outage", async () => {
    const { site, found } = room();
    site.answer = () => Promise.reject(new TypeError("a bug"));
    await expect(found("ES256", "one")).rejects.toThrow("a bug");
  });
});
