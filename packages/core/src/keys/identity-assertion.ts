import { sign } from "node:crypto";
import { randomId, toBase64Url } from "../crypto/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Keyring } from "./keyring.ts";

/** Who makes a request, as far as an upstream is told. */
export interface AssertedIdentity {
  readonly kind: "user" | "machine";
  readonly subject: string;
  readonly clientId: string;
  readonly groups: readonly string[];
  /** What counts now. */
  readonly scopes: readonly string[];
}

/** Tells upstreams who makes a request, under keys that sign nothing else. */
export interface IdentityAssertions {
  /**
   * Signs an assertion: a JWT of type `sallyport-identity+jwt`, ES256, good for 60 s.
   * Rejects where the keys could not be read for 5 min.
   * @param audience the upstream that it is for; no other may take it
   */
  sign(identity: AssertedIdentity, audience: string): string | Promise<string>;
}

/** How long an assertion is good, ms. */
export const assertionLife = 60_000;

const part = (value: unknown): string => toBase64Url(Buffer.from(JSON.stringify(value), "utf8"));

/**
 * @param deps.issuer the issuer of our access tokens as well, so that `typ` and key are what tells the two apart
 * @param deps.keyring opened for identity assertions
 */
export function identityAssertions(deps: {
  readonly issuer: string;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly random: Random;
}): IdentityAssertions {
  const { issuer, keyring, clock, random } = deps;

  const signed = ({ kind, subject, clientId, groups, scopes }: AssertedIdentity, audience: string): string => {
    const { kid, privateKey } = keyring.active();
    const iat = Math.floor(clock.now() / 1000);
    // In another order than in access tokens, so that in a log the beginning tells which of the two it is.
    const claims = {
      jti: randomId(random),
      iss: issuer,
      sub: subject,
      aud: audience,
      iat,
      exp: iat + assertionLife / 1000,
      principal: kind,
      client_id: clientId,
      groups,
      scope: scopes.join(" "),
    };
    const input = `${part({ typ: "sallyport-identity+jwt", alg: "ES256", kid })}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${input}.${toBase64Url(signature)}`;
  };

  return {
    sign(identity, audience) {
      const reading = keyring.current();
      return reading === undefined ? signed(identity, audience) : reading.then(() => signed(identity, audience));
    },
  };
}
