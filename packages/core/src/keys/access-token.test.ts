import { generateKeyPairSync, sign } from "node:crypto";
import { importJWK, jwtVerify } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { silentLogger, systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";
import {
  type AccessTokenClaims,
  type Keyring,
  openKeyring,
  parseAccessToken,
  signAccessToken,
  verifySignature,
} from "./index.ts";

const claims: AccessTokenClaims = {
  iss: "https://mcp.example",
  sub: "sub",
  aud: "https://mcp.example/clock/mcp",
  client_id: "client",
  scope: "read write",
  exp: 2_000_000_000,
  iat: 1_900_000_000,
  jti: "jti",
  sid: "grant",
  principal: "user",
};

let keyring: Keyring;
let token: string;
beforeAll(async () => {
  const clock = steppingClock();
  const store = memoryStore({ clock, random: systemRandom });
  keyring = await openKeyring({
    store,
    keys: deriveRootKeys(["A".repeat(43)]),
    clock,
    random: systemRandom,
    logger: silentLogger,
    checkInterval: 15_000,
  });
  token = signAccessToken(keyring, claims);
});

/** Text stands for itself. */
const part = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const parts = (): [string, string, string] => {
  const [head = "", body = "", tail = ""] = token.split(".");
  return [head, body, tail];
};
/** A token with any header and payload, signed by our own key. */
const signed = (header: object, payload: unknown, key = keyring.active().privateKey): string => {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
};
const ours = () => ({ alg: "ES256", typ: "at+jwt", kid: keyring.active().kid });

/** What a verifier would make of it. */
const read = (text: string) => {
  const parsed = parseAccessToken(text);
  if (typeof parsed === "string") return parsed;
  const key = keyring.find(parsed.kid);
  return key ? verifySignature(parsed, key) : "key unknown";
};

describe("an access token", () => {
  test("verifies here and by any JOSE library with the published key", async () => {
    expect(read(token)).toEqual(claims);
    const [jwk] = keyring.jwks().keys;
    if (!jwk) throw new Error("no key");
    const { payload, protectedHeader } = await jwtVerify(token, await importJWK({ ...jwk }, "ES256"), {
      typ: "at+jwt",
      issuer: claims.iss,
      audience: claims.aud,
      currentDate: new Date(1_950_000_000_000),
    });
    expect(payload).toEqual(claims);
    expect(protectedHeader).toEqual(ours());
  });

  test.each<[string, string, () => string]>([
    ["nothing", "token_malformed", () => ""],
    ["two parts", "token_malformed", () => parts().slice(0, 2).join(".")],
    ["four parts", "token_malformed", () => `${token}.x`],
    ["an empty signature", "token_malformed", () => `${parts()[0]}.${parts()[1]}.`],
    ["more than 8192 characters", "token_malformed", () => signed(ours(), { ...claims, pad: "x".repeat(8192) })],
    ["padding in the signature", "token_malformed", () => `${token}=`],
    [
      "another spelling of the signature",
      "token_malformed",
      // The last of 86 characters has four bits to spare.
      () => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(token.length - 1) + 1),
    ],
    ["a header that is no JSON", "token_type_invalid", () => `AAAA.${parts()[1]}.${parts()[2]}`],
    ["alg none", "token_type_invalid", () => `${part({ ...ours(), alg: "none" })}.${parts()[1]}.AA`],
    ["alg HS256", "token_type_invalid", () => `${part({ ...ours(), alg: "HS256" })}.${parts()[1]}.${parts()[2]}`],
    ["alg RS256", "token_type_invalid", () => `${part({ ...ours(), alg: "RS256" })}.${parts()[1]}.${parts()[2]}`],
    ["an ID token", "token_type_invalid", () => signed({ ...ours(), typ: "JWT" }, claims)],
    ["an ID-JAG", "token_type_invalid", () => signed({ ...ours(), typ: "oauth-id-jag+jwt" }, claims)],
    ["typ in another letter case", "token_type_invalid", () => signed({ ...ours(), typ: "AT+JWT" }, claims)],
    ["no typ", "token_type_invalid", () => signed({ alg: "ES256", kid: keyring.active().kid }, claims)],
    ["no kid", "token_type_invalid", () => signed({ alg: "ES256", typ: "at+jwt" }, claims)],
    ["a key in the header", "token_type_invalid", () => signed({ ...ours(), jwk: keyring.jwks().keys[0] }, claims)],
    ["a key URL in the header", "token_type_invalid", () => signed({ ...ours(), jku: "https://evil.example" }, claims)],
    ["crit", "token_type_invalid", () => signed({ ...ours(), crit: ["exp"] }, claims)],
    ["an unknown kid", "key unknown", () => signed({ ...ours(), kid: "other" }, claims)],
    [
      "another key under our kid",
      "token_signature_invalid",
      () => signed(ours(), claims, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    ],
    [
      "a changed payload",
      "token_signature_invalid",
      () => `${parts()[0]}.${part({ ...claims, sub: "other" })}.${parts()[2]}`,
    ],
    [
      "a signature of zeros",
      "token_signature_invalid",
      () => `${parts()[0]}.${parts()[1]}.${Buffer.alloc(64).toString("base64url")}`,
    ],
    ["a signature that is too short", "token_signature_invalid", () => `${parts()[0]}.${parts()[1]}.AAAA`],
    ["a payload that is no JSON", "token_malformed", () => signed(ours(), "{")],
    ["a list of audiences", "token_malformed", () => signed(ours(), { ...claims, aud: [claims.aud] })],
    ["no exp", "token_malformed", () => signed(ours(), { ...claims, exp: undefined })],
    ["an exp that is text", "token_malformed", () => signed(ours(), { ...claims, exp: "2000000000" })],
    ["no sid", "token_malformed", () => signed(ours(), { ...claims, sid: undefined })],
    ["an unknown kind of principal", "token_malformed", () => signed(ours(), { ...claims, principal: "root" })],
  ])("with %s is refused as %s", (_, reason, make) => {
    expect(read(make())).toBe(reason);
  });
});
