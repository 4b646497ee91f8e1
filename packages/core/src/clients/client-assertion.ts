import type { KeyObject } from "node:crypto";
import { z } from "zod";
import {
  fromBase64Url,
  type RootKeys,
  type SignatureAlgorithm,
  signatureAlgorithms,
  verifyJws,
} from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { assertionIdKind, recordStore } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import type { AssertionKeys } from "./client.ts";

/** The one `client_assertion_type` there is (RFC 7523 §2.2). */
export const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const longestAssertion = 8192;
/** How far ahead `exp` may be, and so how long a stolen assertion is worth something, s. */
const longestLife = 300;
/** What the client's clock and ours may differ by, s. */
const leeway = 60;

const header = z.object({
  alg: z.enum(signatureAlgorithms, { error: `alg must be one of: ${signatureAlgorithms.join(", ")}` }),
  kid: z.string("kid must be a text").max(256, "kid has at most 256 characters").exactOptional(),
  typ: z
    .string("typ must be a text")
    .refine((typ) => ["jwt", "client-authentication+jwt"].includes(typ.toLowerCase()), "typ must be JWT or left out")
    .exactOptional(),
  // RFC 7515 §4.1.11: an extension that is not understood makes the signature invalid, and none is.
  crit: z.undefined("crit is not supported").exactOptional(),
});

const instant = (name: string) => z.number(`${name} must be a number of seconds`);

const claims = z.object({
  iss: z.string("iss must be the client's id"),
  sub: z.string("sub must be the client's id").min(1, "sub must be the client's id").max(2048, "sub is too long"),
  // A list could name other servers as well, which could then pass for this client here (RFC 7523 §3, audience).
  aud: z.string("aud must be one text: the issuer"),
  exp: instant("exp"),
  iat: instant("iat").exactOptional(),
  nbf: instant("nbf").exactOptional(),
  jti: z.string("jti must be a text").min(1, "jti is empty").max(256, "jti has at most 256 characters"),
});

/** A JWT with which a client says who it is. Nothing but its form has been checked. */
export interface ClientAssertion {
  readonly alg: SignatureAlgorithm;
  readonly kid: string | undefined;
  readonly claims: z.output<typeof claims>;
  /** What is signed. */
  readonly input: string;
  readonly signature: Uint8Array;
}

/**
 * Reads a compact JWS (RFC 7515 §3.1) with the claims of RFC 7523 §3.
 * @throws OAuthError invalid_client, naming what is wrong
 */
export function parseClientAssertion(text: string): ClientAssertion {
  if (text.length > longestAssertion) throw invalid(`longer than ${longestAssertion} characters`);
  const [head, body, tail, extra] = text.split(".");
  if (!head || !body || !tail || extra !== undefined) throw invalid("not a signed JWT of three parts");
  const [headBytes, bodyBytes, signature] = [head, body, tail].map(fromBase64Url);
  if (!headBytes || !bodyBytes || !signature) throw invalid("a part is not base64url");
  const { alg, kid } = parsePart(header, headBytes);
  const input = text.slice(0, head.length + 1 + body.length);
  return { alg, kid, claims: parsePart(claims, bodyBytes), input, signature };
}

function parsePart<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalid("a part is not JSON");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(issue?.path.length === 0 ? "a part is not a JSON object" : (issue?.message ?? "malformed"));
}

/** Checks assertions: claims, signature, and that each is used once. */
export interface AssertionVerifier {
  /**
   * RFC 7523 §3, OpenID Connect Core §9. The `jti` counts as used only when all else is right, so that nobody can use up
   * another's.
   * @param keys those of the client that the assertion names
   * Rejects with OAuthError: invalid_client, or temporarily_unavailable where the keys cannot be had
   */
  verify(assertion: ClientAssertion, keys: AssertionKeys): Promise<void>;
}

/** @param deps.audiences the issuer, and the token endpoint, which OpenID Connect Core §9 names and clients do send */
export function createAssertionVerifier(deps: {
  readonly audiences: readonly string[];
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
}): AssertionVerifier {
  const { audiences, clock } = deps;
  const used = recordStore(assertionIdKind, deps);

  const checkClaims = ({ claims: { iss, sub, aud, exp, iat, nbf } }: ClientAssertion): void => {
    const now = clock.now() / 1000;
    if (iss !== sub) throw invalid("iss and sub must both be the client's id");
    if (!audiences.includes(aud)) throw invalid(`aud must be ${audiences[0]}`);
    if (exp <= now - leeway) throw invalid("exp has passed");
    if (exp > now + longestLife + leeway) throw invalid(`exp must be at most ${longestLife} seconds ahead`);
    if (iat !== undefined && (iat > now + leeway || exp - iat > longestLife + leeway)) {
      throw invalid(`iat must be in the past, and at most ${longestLife} seconds before exp`);
    }
    if (nbf !== undefined && nbf > now + leeway) throw invalid("nbf has not come yet");
  };

  const isSigned = async ({ alg, kid, input, signature }: ClientAssertion, keys: AssertionKeys): Promise<boolean> => {
    const signedBy = (key: KeyObject): boolean => verifyJws(alg, key, input, signature);
    if ((await keys.find(alg, kid)).some(signedBy)) return true;
    // The client may have changed its keys without a new `kid`.
    return (await keys.find(alg, kid, "anew")).some(signedBy);
  };

  return {
    async verify(assertion, keys) {
      checkClaims(assertion);
      if (!(await isSigned(assertion, keys))) throw invalid("the signature is not by one of the client's keys");
      const { sub, jti, exp } = assertion.claims;
      const now = clock.now();
      // Longer than it can count: finding the keys took its time, and another replica's clock may be behind.
      const ttl = Math.ceil((exp + 2 * leeway) * 1000 - now);
      if (await used.put(JSON.stringify([sub, jti]), { usedAt: now }, { ttl, ifAbsent: true })) return;
      throw new OAuthError(
        "invalid_client",
        "client_assertion_replayed",
        "client_assertion: its jti was used before; make a new one for every request",
      );
    },
  };
}

const invalid = (description: string): OAuthError =>
  new OAuthError("invalid_client", "client_assertion_invalid", `client_assertion: ${description}`);
