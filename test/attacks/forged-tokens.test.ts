import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { deriveRootKeys, silentLogger, systemRandom } from "sallyport";
import { expect, test } from "vitest";
import { openKeyring } from "../../packages/core/src/keys/index.ts";
import type { TokenAnswer } from "../support/oauth-client.ts";
import { encode, es256, expectRefused, neighbour, part } from "./access-tokens.ts";
import { type Arena, found, onEachStore } from "./arena.ts";

type Json = Readonly<Record<string, unknown>>;

/** The signing key itself, as a thief of the root secret and the store would have it. */
async function signingKey({ env, store }: Arena) {
  const [secret] = env.settings.secret ?? [];
  const keys = deriveRootKeys([found(secret, "no root secret")]);
  const { clock } = env;
  const passedIn = { store, keys, clock, random: systemRandom, logger: silentLogger };
  const keyring = await openKeyring({ ...passedIn, checkInterval: 15_000 });
  return keyring.active();
}

onEachStore(
  "attacks §1 audience and §3 verifier, forged in our name",
  (arena) => {
    const refused = (token: string, reason: string, path?: string) => expectRefused(arena(), token, reason, path);

    let current: TokenAnswer | undefined;
    /** A good token, the same for as long as it is one. */
    const mine = async () => {
      const { env, session } = arena();
      const ends = current === undefined ? 0 : Number(part(current.access_token, 1).exp) * 1000;
      if (ends - env.clock.now() < 60_000) current = (await session()).tokens;
      const token = found(current, "no session").access_token;
      return { token, header: part(token, 0), payload: part(token, 1) };
    };

    test("alg none with our kid, with and without a signature", async () => {
      const { token, header, payload } = await mine();
      for (const alg of ["none", "None", "NONE", ""]) {
        const input = `${encode({ ...header, alg })}.${encode(payload)}`;
        await refused(`${input}.`, "token_malformed");
        await refused(`${input}.${token.split(".")[2]}`, "token_signature_invalid");
      }
    });

    test("HS256 keyed with our public key, in every spelling of it (attacks §4 Hono CVE-2026-22817)", async () => {
      const { env } = arena();
      const { header, payload } = await mine();
      const jwks = Object(await (await fetch(`${env.url}/.well-known/jwks.json`)).json());
      const [jwk] = jwks.keys;
      const key = createPublicKey({ key: jwk, format: "jwk" });
      const spellings = [
        key.export({ format: "pem", type: "spki" }).toString(),
        key.export({ format: "der", type: "spki" }),
        JSON.stringify(jwk),
        jwk.x,
      ];
      for (const secret of spellings) {
        const input = `${encode({ ...header, alg: "HS256" })}.${encode(payload)}`;
        const signature = createHmac("sha256", secret).update(input).digest("base64url");
        await refused(`${input}.${signature}`, "token_signature_invalid");
      }
    });

    test.each([
      ["our kid", {}],
      ["its own key in jwk", { jwk: true }],
      ["its own key set in jku", { jku: "https://evil.example/jwks.json" }],
      ["its own certificate in x5u", { x5u: "https://evil.example/cert" }],
      ["an unknown critical header", { crit: ["x"], x: 1 }],
    ])("a foreign key with %s", async (_, extra) => {
      const { header, payload } = await mine();
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const more = "jwk" in extra ? { jwk: publicKey.export({ format: "jwk" }) } : extra;
      await refused(es256({ ...header, ...more }, payload, privateKey), "token_signature_invalid");
    });

    test.each([
      [
        "the payload is another",
        (token: string, payload: Json) =>
          [token.split(".")[0], encode({ ...payload, scope: "mcp/admin" }), token.split(".")[2]].join("."),
      ],
      [
        "the signature is all zeros",
        (token: string) => token.replace(/[^.]+$/, Buffer.alloc(64).toString("base64url")),
      ],
      ["the signature is cut", (token: string) => token.slice(0, -10)],
      [
        "the signature is in DER",
        (token: string) => token.replace(/[^.]+$/, Buffer.from("3006020101020101", "hex").toString("base64url")),
      ],
    ])("with our kid, %s", async (_, bend) => {
      const { token, payload } = await mine();
      await refused(bend(token, payload), "token_signature_invalid");
    });

    test("200 of an unknown kid: the keyring is read at most once", async () => {
      const { env, mcp, store } = arena();
      const { header, payload } = await mine();
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      env.clock.advance(31_000);
      const seen = store.calls.length;
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => mcp(es256({ ...header, kid: `spray-${n}` }, payload, privateKey))),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
      expect(store.calls.slice(seen).filter(({ key }) => key.startsWith("keyring:")).length).toBeLessThanOrEqual(1);
    });

    test.each([
      [
        "a list of audiences, ours and a foreign one",
        (p: Json) => ({ ...p, aud: [p.aud, "https://other.example/mcp"] }),
        "token_malformed",
      ],
      ["a list with ours alone", (p: Json) => ({ ...p, aud: [p.aud] }), "token_malformed"],
      ["no audience", ({ aud: _, ...p }: Json) => p, "token_malformed"],
      ["a foreign audience", (p: Json) => ({ ...p, aud: "https://other.example/mcp" }), "token_audience_mismatch"],
      ["a foreign issuer", (p: Json) => ({ ...p, iss: "https://other.example" }), "token_issuer_mismatch"],
      ["no expiry (attacks §3)", ({ exp: _, ...p }: Json) => p, "token_malformed"],
      ["an expiry in the past", (p: Json) => ({ ...p, exp: Number(p.iat) - 1 }), "token_expired"],
      ["an expiry that is a text", (p: Json) => ({ ...p, exp: String(p.exp) }), "token_malformed"],
      ["issued in the future", (p: Json) => ({ ...p, iat: Number(p.iat) + 3600 }), "token_not_yet_valid"],
      [
        "not before a later time (attacks §3)",
        (p: Json) => ({ ...p, nbf: Number(p.iat) + 3600 }),
        "token_not_yet_valid",
      ],
      ["no grant", ({ sid: _, ...p }: Json) => p, "token_malformed"],
      ["a grant that is not there", (p: Json) => ({ ...p, sid: "A".repeat(43) }), "grant_revoked"],
      ["another client than its grant's", (p: Json) => ({ ...p, client_id: "other" }), "grant_user_mismatch"],
      ["another user than its grant's", (p: Json) => ({ ...p, sub: "other" }), "grant_user_mismatch"],
      ["a machine where the grant is a user's", (p: Json) => ({ ...p, principal: "machine" }), "grant_user_mismatch"],
    ])("signed by our own key, with %s", async (_, change, reason) => {
      const { header, payload } = await mine();
      const { privateKey } = await signingKey(arena());
      await refused(es256(header, change(payload), privateKey), reason);
    });

    test.each([
      ["JWT", "JWT"],
      ["none", undefined],
      ["of another use", "session+jwt"],
      ["with the media type's prefix", "application/at+jwt"],
    ])("signed by our own key, typ %s", async (_, typ) => {
      const { header, payload } = await mine();
      const { privateKey } = await signingKey(arena());
      await refused(es256({ ...header, typ }, payload, privateKey), "token_signature_invalid");
    });

    test("signed by our own key: more scope than the groups give counts for nothing", async () => {
      const { env, mcp, outcome, session } = arena();
      const resource = `${env.url}/clock-x/mcp`;
      const { tokens } = await session({ user: "bob", params: { resource } });
      const { privateKey } = await signingKey(arena());
      const payload = part(tokens.access_token, 1);
      const token = es256(part(tokens.access_token, 0), { ...payload, scope: "mcp/read mcp/admin" }, privateKey);
      const answer = await outcome(() => mcp(token, "/clock-x/mcp"));
      expect(answer).toMatchObject({ status: 403, reasons: ["not_permitted"], ended: [] });
      expect(answer.headers.has("www-authenticate")).toBe(false);
    });

    test("our key signs what it signs (control)", async () => {
      const { header, payload } = await mine();
      const { privateKey } = await signingKey(arena());
      expect((await arena().mcp(es256(header, payload, privateKey))).status).toBe(200);
    });
  },
  { change: (settings) => ({ ...settings, ...neighbour(settings) }) },
);
