import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";

type Json = Readonly<Record<string, unknown>>;

/** A client's key pair, and the assertions that it signs. */
export interface ClientKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** The public part, for `jwks`. */
  readonly jwk: Record<string, unknown>;
  /** The form parameters of an assertion with these claims and header members besides `alg`. */
  assertion(claims: Json, header?: Json): { readonly client_assertion_type: string; readonly client_assertion: string };
}

const generate = {
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync("ed25519"),
} as const;

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

const signWith = {
  ES256: (input: Buffer, key: KeyObject) => sign("sha256", input, { key, dsaEncoding: "ieee-p1363" }),
  RS256: (input: Buffer, key: KeyObject) => sign("sha256", input, key),
  PS256: (input: Buffer, key: KeyObject) => sign("sha256", input, { key, ...pss }),
  EdDSA: (input: Buffer, key: KeyObject) => sign(null, input, key),
} as const;

const part = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JWT with whatever header and claims, signed in whatever way. */
export const jwt = (header: Json, claims: Json, signer: (input: Buffer) => Buffer): string => {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signer(Buffer.from(input)).toString("base64url")}`;
};

export const asForm = (clientAssertion: string) => ({
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion: clientAssertion,
});

export function clientKeys(alg: keyof typeof generate = "ES256", kid?: string): ClientKeys {
  const { publicKey, privateKey } = generate[alg]();
  return {
    publicKey,
    privateKey,
    jwk: { ...publicKey.export({ format: "jwk" }), ...(kid === undefined ? {} : { kid }) },
    assertion: (claims, header = {}) =>
      asForm(jwt({ alg, ...header }, claims, (input) => signWith[alg](input, privateKey))),
  };
}

/** The claims of a good assertion (RFC 7523 §3). */
export const goodClaims = (clientId: string, issuer: string, now: number) => ({
  iss: clientId,
  sub: clientId,
  aud: issuer,
  iat: Math.floor(now / 1000),
  exp: Math.floor(now / 1000) + 300,
  jti: randomUUID(),
});
