import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { labelledHash } from "../crypto/index.ts";
import type { StoredKey } from "../records/index.ts";
import type { KeyUse } from "./shared-keyring.ts";

/** A signing key as it is used. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A public key as published (RFC 7517 §4). */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A key that nobody has yet, without a state. */
export type FreshKey = Omit<StoredKey, "state" | "since" | "requested">;

/** What the names of keys begin with. The key set has keys of every use, and a name tells which is which. */
const kidPrefixes: Readonly<Record<KeyUse, string>> = { access_token: "", identity_assertion: "identity-" };

/**
 * Makes P-256 key pairs (ES256, RFC 7518 §3.4) for a use.
 * @returns makes one; takes the time now, ms
 */
export const keyMaker =
  (use: KeyUse) =>
  (now: number): FreshKey =>
    newSigningKey(now, kidPrefixes[use]);

function newSigningKey(now: number, prefix: string): FreshKey {
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  const { x, y, d } = jwk;
  if (!x || !y || !d) throw new Error("an EC key without coordinates was made");
  // A hash of the public coordinates, in the spirit of RFC 7638: the name says nothing but which key it is.
  const hash = labelledHash("kid", JSON.stringify({ crv: "P-256", kty: "EC", x, y }));
  return { kid: `${prefix}${hash.slice(0, 16)}`, createdAt: now, privateJwk: { kty: "EC", crv: "P-256", x, y, d } };
}

/** The private key, for the one that signs. */
export function signingKeyOf({ kid, privateJwk }: StoredKey): SigningKey {
  const privateKey = createPrivateKey({ key: privateJwk, format: "jwk" });
  return { kid, privateKey, publicKey: createPublicKey(privateKey) };
}

/** The public key, for every one that verifies. */
export const publicKeyOf = ({ privateJwk: { kty, crv, x, y } }: StoredKey): KeyObject =>
  createPublicKey({ key: { kty, crv, x, y }, format: "jwk" });

/** What the key set says of a key. */
export const publicJwkOf = ({ kid, privateJwk: { kty, crv, x, y } }: StoredKey): PublicJwk => ({
  kty,
  crv,
  x,
  y,
  kid,
  alg: "ES256",
  use: "sig",
});
