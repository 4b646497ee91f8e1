import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { Random } from "../runtime.ts";

/** One key signs ID tokens, the other access tokens. */
export type KeyUse = "id" | "access";

/** The pool's RSA keys. They are made in the background; whoever needs one first waits for it. */
export interface SigningKeys {
  /** A JWT whose header is exactly `kid` and `alg`, as Cognito's: no `typ`. */
  sign(use: KeyUse, claims: JWTPayload): Promise<string>;
  /** The public key, if `kid` names a published key of that use. */
  publicKey(use: KeyUse, kid: string | undefined): Promise<CryptoKey | undefined>;
  jwks(): Promise<{ keys: JWK[] }>;
  /** New keys sign from now on; the ones before stay published unless dropped. */
  rotate(options: { dropPrevious: boolean }): Promise<void>;
}

interface SigningKey {
  readonly use: KeyUse;
  readonly kid: string;
  readonly jwk: JWK;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

export function createSigningKeys(random: Random): SigningKeys {
  let current = createPair(random);
  let previous: Promise<readonly SigningKey[]> = Promise.resolve([]);
  // A failure is reported where the keys are used, not as an unhandled rejection before that.
  current.catch(() => {});

  const published = async (): Promise<SigningKey[]> => [...(await current), ...(await previous)];
  const find = (keys: readonly SigningKey[], use: KeyUse, kid?: string): SigningKey | undefined =>
    keys.find((key) => key.use === use && (kid === undefined || key.kid === kid));

  return {
    async sign(use, claims) {
      const key = find(await current, use);
      if (key === undefined) throw new Error(`there is no signing key for ${use} tokens`);
      return new SignJWT(claims).setProtectedHeader({ kid: key.kid, alg: "RS256" }).sign(key.privateKey);
    },
    async publicKey(use, kid) {
      return kid === undefined ? undefined : find(await published(), use, kid)?.publicKey;
    },
    async jwks() {
      return { keys: (await published()).map(({ jwk }) => jwk) };
    },
    async rotate({ dropPrevious }) {
      const made = await createPair(random);
      previous = dropPrevious ? Promise.resolve([]) : current;
      current = Promise.resolve(made);
    },
  };
}

function createPair(random: Random): Promise<readonly SigningKey[]> {
  return Promise.all([createKey("id", random), createKey("access", random)]);
}

async function createKey(use: KeyUse, random: Random): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { modulusLength: 2048 });
  const { e, n } = await exportJWK(publicKey);
  if (e === undefined || n === undefined) throw new Error("an RSA key without modulus or exponent");
  // Cognito's kids look like this: base64 of 32 bytes, padding included.
  const kid = Buffer.from(random.bytes(32)).toString("base64");
  return { use, kid, publicKey, privateKey, jwk: { alg: "RS256", e, kid, kty: "RSA", n, use: "sig" } };
}
