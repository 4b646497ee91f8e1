import { type KeyObject, sign, verify } from "node:crypto";
import { z } from "zod";
import { fromBase64Url, toBase64Url } from "../crypto/index.ts";
import type { Reason } from "../errors/index.ts";
import type { Keyring } from "./keyring.ts";

const claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  client_id: z.string(),
  scope: z.string(),
  exp: z.int(),
  iat: z.int(),
  /** Never written here; one that is there is kept to (RFC 7519 §4.1.5). */
  nbf: z.int().exactOptional(),
  jti: z.string(),
  /** Id of the grant behind the token. */
  sid: z.string(),
  principal: z.enum(["user", "machine"]),
});

/** Claims of our access tokens (RFC 9068 §2.2). */
export type AccessTokenClaims = z.output<typeof claims>;

const header = z.strictObject({ alg: z.literal("ES256"), typ: z.literal("at+jwt"), kid: z.string() });

const longestToken = 8192;

/** For so long after its token's end a stream may stay open that was opened with it, ms. */
export const streamOverrun = 3_600_000;

const json = (value: unknown): string => toBase64Url(Buffer.from(JSON.stringify(value), "utf8"));

/** Signs an access token: a JWT of type `at+jwt` (RFC 9068), ES256 (RFC 7518 §3.4). */
export function signAccessToken(keyring: Keyring, payload: AccessTokenClaims): string {
  const { kid, privateKey } = keyring.active();
  const input = `${json({ alg: "ES256", typ: "at+jwt", kid })}.${json(payload)}`;
  const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${toBase64Url(signature)}`;
}

/** A parsed token whose signature has not been checked: good for nothing but finding its key. */
export interface UnverifiedAccessToken {
  readonly kid: string;
  readonly input: string;
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
}

/** Splits a compact JWS (RFC 7515 §3.1) and checks the header's `typ` and `alg`; answers the reason if it is not one of ours. */
export function parseAccessToken(token: string): UnverifiedAccessToken | Reason {
  if (token.length > longestToken) return "token_malformed";
  const [head, body, tail, extra] = token.split(".");
  if (!head || !body || !tail || extra !== undefined) return "token_malformed";
  const bytes = [head, body, tail].map(fromBase64Url);
  const [headBytes, payload, signature] = bytes;
  if (!headBytes || !payload || !signature) return "token_malformed";
  const parsed = header.safeParse(parseJson(headBytes));
  if (!parsed.success) return "token_type_invalid";
  return { kid: parsed.data.kid, input: token.slice(0, head.length + 1 + body.length), signature, payload };
}

/** Checks the signature and reads the claims; answers the reason if either is wrong. */
export function verifySignature(token: UnverifiedAccessToken, key: KeyObject): AccessTokenClaims | Reason {
  const options = { key, dsaEncoding: "ieee-p1363" } as const;
  if (!verify("sha256", Buffer.from(token.input), options, token.signature)) return "token_signature_invalid";
  const parsed = claims.safeParse(parseJson(token.payload));
  return parsed.success ? parsed.data : "token_malformed";
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
