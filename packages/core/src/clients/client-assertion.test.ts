import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";
import { parseClientAssertion } from "./client-assertion.ts";
import { createAssertionKeys, createAssertionVerifier } from "./index.ts";

const issuer = "https://mcp.example";
const tokenEndpoint = `${issuer}/token`;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed = generateKeyPairSync("ed25519");
const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: "jwk" }), ...more });
const publicKeys = [
  jwk(ec.publicKey, { kid: "ec" }),
  jwk(rsa.publicKey, { kid: "rsa" }),
  jwk(ed.publicKey, { kid: "ed" }),
];

const base64url = (value: object | string): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

const signers: Readonly<Record<string, (input: Buffer) => Buffer>> = {
  RS256: (input) => sign("sha256", input, rsa.privateKey),
  PS256: (input) =>
    sign("sha256", input, {
      key: rsa.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  ES256: (input) => sign("sha256", input, { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
  EdDSA: (input) => sign(null, input, ed.privateKey),
};

function room() {
  const clock = steppingClock();
  const random = systemRandom;
  const verifier = createAssertionVerifier({
    audiences: [issuer, tokenEndpoint],
    store: memoryStore({ clock, random }),
    keys: deriveRootKeys(["a root secret of the tests, long enough"]),
    clock,
    random,
  });
  const fetch = () => Promise.reject(new Error("nothing is published"));
  const keys = createAssertionKeys({ fetch, clock })({ jwks: { keys: publicKeys } });
  let made = 0;
  const now = (): number => Math.floor(clock.now() / 1000);
  const token = (claims: object = {}, header: object = {}): string => {
    made += 1;
    const all = { iss: "client", sub: "client", aud: issuer, exp: now() + 300, iat: now(), jti: `${made}`, ...claims };
    const head: { alg: string } = { alg: "ES256", ...header };
    const input = `${base64url(head)}.${base64url(all)}`;
    return `${input}.${(signers[head.alg] ?? signers.ES256)?.(Buffer.from(input)).toString("base64url")}`;
  };
  /** `ok`, or the reason with what is told. */
  const judge = async (text: string): Promise<string> => {
    try {
      await verifier.verify(parseClientAssertion(text), keys);
      return "ok";
    } catch (error) {
      if (error instanceof OAuthError && error.code === "invalid_client") return `${error.reason}: ${error.message}`;
      throw error;
    }
  };
  return { clock, now, token, judge };
}

describe("an assertion that is right", () => {
  test.each(["RS256", "PS256", "ES256", "EdDSA"])("signed with %s, with and without kid", async (alg) => {
    const { token, judge } = room();
    const kid = { RS256: "rsa", PS256: "rsa", ES256: "ec" }[alg] ?? "ed";
    expect(await judge(token({}, { alg }))).toBe("ok");
    expect(await judge(token({}, { alg, kid }))).toBe("ok");
  });

  test.each<[string, (now: number) => object, object?]>([
    ["for the token endpoint", () => ({ aud: tokenEndpoint })],
    ["without iat", () => ({ iat: undefined })],
    ["by a clock that is 59 s ahead", (now) => ({ iat: now + 59, nbf: now + 59, exp: now + 359 })],
    ["by a clock that is 59 s behind", (now) => ({ iat: now - 359, exp: now - 59 })],
    ["with further claims", () => ({ nonce: "x", aud2: ["y"] })],
    ["with typ JWT", () => ({}), { typ: "JWT" }],
    ["with typ jwt", () => ({}), { typ: "jwt" }],
    ["with its own typ", () => ({}), { typ: "client-authentication+jwt" }],
    ["with header members that mean nothing here", () => ({}), { jku: "https://evil.example/", x5t: "x" }],
    ["with a jti of 256 characters", () => ({ jti: "j".repeat(256) })],
  ])("%s", async (_, claims, header = {}) => {
    const { token, judge, now } = room();
    expect(await judge(token(claims(now()), header))).toBe("ok");
  });
});

describe("an assertion that is wrong", () => {
  test.each<[string, (now: number) => object, string]>([
    ["another issuer than subject", () => ({ iss: "other" }), "iss and sub must both be the client's id"],
    ["no issuer", () => ({ iss: undefined }), "iss must be"],
    ["no subject", () => ({ sub: undefined }), "sub must be"],
    ["an empty subject", () => ({ sub: "", iss: "" }), "sub must be"],
    ["no audience", () => ({ aud: undefined }), "aud must be one text"],
    ["an array with the one right audience", () => ({ aud: [issuer] }), "aud must be one text"],
    ["an array with two", () => ({ aud: [issuer, "https://other.example"] }), "aud must be one text"],
    ["another audience", () => ({ aud: "https://other.example" }), `aud must be ${issuer}`],
    ["the issuer with a slash", () => ({ aud: `${issuer}/` }), "aud must be"],
    ["another endpoint", () => ({ aud: `${issuer}/revoke` }), "aud must be"],
    ["no expiry", () => ({ exp: undefined }), "exp must be a number"],
    ["an expiry that is a text", () => ({ exp: "9999999999" }), "exp must be a number"],
    ["expired by more than the leeway", (now) => ({ exp: now - 60, iat: now - 300 }), "exp has passed"],
    ["an expiry too far ahead", (now) => ({ exp: now + 361 }), "exp must be at most 300 seconds ahead"],
    ["a long life near its end", (now) => ({ iat: now - 3600, exp: now + 60 }), "iat must be"],
    ["made in the future", (now) => ({ iat: now + 61 }), "iat must be in the past"],
    ["not valid yet", (now) => ({ nbf: now + 61 }), "nbf has not come yet"],
    ["no jti", () => ({ jti: undefined }), "jti must be a text"],
    ["an empty jti", () => ({ jti: "" }), "jti is empty"],
    ["a jti that is a number", () => ({ jti: 1 }), "jti must be a text"],
    ["a jti that is too long", () => ({ jti: "j".repeat(257) }), "jti has at most 256"],
  ])("%s", async (_, claims, text) => {
    const { token, judge, now } = room();
    const verdict = await judge(token(claims(now())));
    expect(verdict).toMatch(/^client_assertion_invalid: client_assertion: /);
    expect(verdict).toContain(text);
  });

  test.each<[string, object, string]>([
    ["alg none", { alg: "none" }, "alg must be one of: RS256, PS256, ES256, EdDSA"],
    ["alg HS256", { alg: "HS256" }, "alg must be one of"],
    ["alg in another case", { alg: "es256" }, "alg must be one of"],
    ["a longer alg", { alg: "RS512" }, "alg must be one of"],
    ["a critical extension", { crit: ["exp"] }, "crit is not supported"],
    ["an empty list of critical extensions", { crit: [] }, "crit is not supported"],
    ["an access token's typ", { typ: "at+jwt" }, "typ must be JWT"],
    ["an unknown kid", { kid: "other" }, "not by one of the client's keys"],
    ["a kid of another key", { kid: "rsa" }, "not by one of the client's keys"],
    ["a kid that is a number", { kid: 1 }, "kid must be a text"],
    ["a kid that is too long", { kid: "k".repeat(257) }, "kid has at most 256"],
  ])("%s in its header", async (_, header, text) => {
    const { token, judge } = room();
    expect(await judge(token({}, header))).toContain(text);
  });

  const cut = (token: string, change: (parts: string[]) => string[]): string => change(token.split(".")).join(".");
  test.each<[string, (token: string) => string, string]>([
    ["nothing", () => "", "not a signed JWT"],
    ["two parts", (token) => cut(token, (parts) => parts.slice(0, 2)), "not a signed JWT"],
    ["four parts", (token) => `${token}.x`, "not a signed JWT"],
    ["five parts, as an encrypted one", (token) => `${token}.x.y`, "not a signed JWT"],
    ["no signature", (token) => cut(token, ([a = "", b = ""]) => [a, b, ""]), "not a signed JWT"],
    [
      "another's signature",
      (token) => cut(token, ([a = "", b = ""]) => [a, b, base64url("x".repeat(64))]),
      "not by one",
    ],
    ["a signature with padding", (token) => `${token}=`, "not base64url"],
    ["changed claims", (token) => cut(token, ([a = "", , c = ""]) => [a, base64url({}), c]), "iss must be"],
    [
      "claims that are a list",
      (token) => cut(token, ([a = "", , c = ""]) => [a, base64url([]), c]),
      "not a JSON object",
    ],
    ["claims that are no JSON", (token) => cut(token, ([a = "", , c = ""]) => [a, base64url("x"), c]), "not JSON"],
    [
      "a header that is null",
      (token) => cut(token, ([, b = "", c = ""]) => [base64url("null"), b, c]),
      "not a JSON object",
    ],
    ["too long", (token) => `${token}${"A".repeat(9000)}`, "longer than 8192"],
  ])("its form: %s", async (_, change, text) => {
    const { token, judge } = room();
    expect(await judge(change(token()))).toContain(text);
  });

  test("one byte changed anywhere", async () => {
    const { token, judge } = room();
    const good = token();
    for (let at = 0; at < good.length; at += 7) {
      const changed = `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`;
      expect([at, await judge(changed)]).toEqual([at, expect.stringMatching(/^client_assertion_invalid/)]);
    }
    expect(await judge(good)).toBe("ok");
  });
});

describe("an assertion counts once", () => {
  test("also of two at once, and as long as it could be valid", async () => {
    const { token, judge, clock } = room();
    const one = token();
    expect((await Promise.all([judge(one), judge(one)])).toSorted()).toEqual([
      expect.stringMatching(/^client_assertion_replayed/),
      "ok",
    ]);
    clock.advance(359_000);
    expect(await judge(one)).toMatch(/^client_assertion_replayed/);
    clock.advance(1_000);
    expect(await judge(one)).toContain("exp has passed");
  });

  test("its jti in another assertion does not count again; another client's same one does", async () => {
    const { token, judge } = room();
    expect(await judge(token({ jti: "same" }))).toBe("ok");
    expect(await judge(token({ jti: "same", aud: tokenEndpoint }))).toMatch(/^client_assertion_replayed/);
    expect(await judge(token({ jti: "same", iss: "other", sub: "other" }))).toBe("ok");
  });

  test("a wrong one uses nothing up", async () => {
    const { token, judge, now } = room();
    const wrong = [token({ jti: "mine", aud: "https://other.example" }), token({ jti: "mine", exp: now() - 100 })];
    const unsigned = token({ jti: "mine" }).replace(/[^.]+$/, base64url("x".repeat(64)));
    for (const text of [...wrong, unsigned]) expect(await judge(text)).toMatch(/^client_assertion_invalid/);
    expect(await judge(token({ jti: "mine" }))).toBe("ok");
  });
});
