import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { z } from "zod";

/** Signatures (RFC 7518 §3.1, RFC 8037 §3.1) that are accepted from others: asymmetric ones only, and few. */
export const signatureAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"] as const;
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** Somebody's public key, ready to verify with. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** What it may be used for. */
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly key: KeyObject;
}

const common = {
  kid: z.string().exactOptional(),
  use: z.literal("sig").exactOptional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes("verify"))
    .exactOptional(),
  alg: z.enum(signatureAlgorithms).exactOptional(),
  // Whoever publishes the private part has no key any more.
  d: z.undefined().exactOptional(),
};

const publicJwk = z.discriminatedUnion("kty", [
  z.object({ ...common, kty: z.literal("RSA"), n: z.string(), e: z.string() }),
  z.object({ ...common, kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string() }),
  z.object({ ...common, kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string() }),
]);

const algorithmsOf: Readonly<Record<"RSA" | "EC" | "OKP", readonly SignatureAlgorithm[]>> = {
  RSA: ["RS256", "PS256"],
  EC: ["ES256"],
  OKP: ["EdDSA"],
};

/** RFC 7518 §3.3 asks for 2048 bits at least; above the other bound a check would cost more than it is worth. */
const rsaBits = { least: 2048, most: 8192 };

/**
 * Reads a public key (RFC 7517 §4). Undefined for one that cannot verify any of {@link signatureAlgorithms}: another
 * type, curve or use, too short, private, or not a key at all.
 */
export function importVerificationKey(jwk: Readonly<Record<string, unknown>>): VerificationKey | undefined {
  const parsed = publicJwk.safeParse(jwk);
  if (!parsed.success) return undefined;
  const { kid, use: _use, key_ops: _operations, alg, d: _none, ...parts } = parsed.data;
  const algorithms = algorithmsOf[parts.kty].filter((name) => alg === undefined || name === alg);
  if (algorithms.length === 0) return undefined;
  try {
    const key = createPublicKey({ key: parts, format: "jwk" });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    if (bits !== undefined && (bits < rsaBits.least || bits > rsaBits.most)) return undefined;
    return { kid, algorithms, key };
  } catch {
    return undefined;
  }
}

/** Whether a key made the signature of a JWS (RFC 7515 §5.2). The key must be one for this algorithm. */
export function verifyJws(alg: SignatureAlgorithm, key: KeyObject, input: string, signature: Uint8Array): boolean {
  const data = Buffer.from(input);
  switch (alg) {
    case "RS256":
      return verify("sha256", data, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case "PS256": {
      const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
      return verify("sha256", data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
    }
    case "ES256":
      return verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "EdDSA":
      return verify(null, data, key, signature);
  }
}
