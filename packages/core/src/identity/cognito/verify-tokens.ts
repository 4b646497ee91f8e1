import { errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { Clock } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import type { Discovery } from "./discovery.ts";
import type { KeySet } from "./key-set.ts";
import type { RemoteDocument } from "./remote-document.ts";

/** How far our clock and Cognito's may differ. */
const clockToleranceSeconds = 60;

const groups = z.array(z.string()).optional();

/** Cognito writes a boolean as a text where the attribute is mapped from a federated provider, and in userInfo always. */
export const booleanClaim = z.union([z.boolean(), z.stringbool({ truthy: ["true"], falsy: ["false"] })]);

const idTokenSchema = z.looseObject({
  token_use: z.literal("id"),
  sub: z.string().min(1),
  // Cognito's is one string; a list could name others beside us.
  aud: z.string(),
  exp: z.number(),
  nonce: z.string().optional(),
  auth_time: z.number().optional(),
  "cognito:username": z.string().min(1).optional(),
  "cognito:groups": groups,
  email: z.string().optional(),
  email_verified: booleanClaim.optional(),
});

const accessTokenSchema = z.looseObject({
  token_use: z.literal("access"),
  sub: z.string().min(1),
  client_id: z.string().min(1),
  exp: z.number(),
  auth_time: z.number().optional(),
  username: z.string().min(1).optional(),
  "cognito:groups": groups,
  scope: z.string().optional(),
  aud: z.string().optional(),
});

/** The claims of a verified ID token. */
export type IdTokenClaims = z.output<typeof idTokenSchema>;
/** The claims of a verified access token. */
export type AccessTokenClaims = z.output<typeof accessTokenSchema>;

/** Checks tokens of one user pool. Rejects with {@link IdentityProviderError}. */
export interface TokenVerifier {
  /** Fetches issuer and keys unless they are there. To be called before anything that cannot be done twice. */
  ready(): Promise<void>;
  /** @param expected.nonce what we sent; left out where the flow has none */
  idToken(token: string, expected: { readonly clientId: string; readonly nonce?: string }): Promise<IdTokenClaims>;
  /** @param expected.clientId left out where the caller judges the client */
  accessToken(token: string, expected: { readonly clientId?: string }): Promise<AccessTokenClaims>;
}

/** Sources: Cognito Developer Guide, "Verifying a JSON Web Token"; OpenID Connect Core §3.1.3.7; RFC 8725 §3.1. */
export function tokenVerifier(options: {
  readonly discovery: RemoteDocument<Discovery>;
  readonly keys: KeySet;
  readonly clock: Clock;
}): TokenVerifier {
  const { clock, discovery, keys } = options;

  const verify = async (token: string, issuer: string): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(token, keys.key, {
      algorithms: ["RS256"],
      issuer,
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.now()),
    });
    return payload;
  };

  const verifyForPool = async (token: string): Promise<JWTPayload> => {
    const { issuer } = await discovery.get();
    try {
      return await verify(token, issuer);
    } catch (error) {
      if (!(error instanceof errors.JWTClaimValidationFailed) || error.claim !== "iss") throw error;
      // Signed by the pool with another issuer: its issuer type may have been changed since we last looked.
      const current = await discovery.reload();
      if (current.issuer === issuer) throw error;
      return await verify(token, current.issuer);
    }
  };

  const check = async <T extends z.ZodType>(token: string, what: string, schema: T): Promise<z.output<T>> => {
    const payload = await verifyForPool(token).catch((error: unknown) => {
      throw error instanceof IdentityProviderError ? error : refusal(what, reasonOf(error));
    });
    const claims = schema.safeParse(payload);
    if (!claims.success) throw refusal(what, claims.error.issues.map((issue) => issue.path.join(".")).join(", "));
    return claims.data;
  };

  return {
    ready: async () => {
      await discovery.get();
      await keys.ready();
    },
    idToken: async (token, expected) => {
      const claims = await check(token, "ID token", idTokenSchema);
      if (claims.aud !== expected.clientId) throw refusal("ID token", "aud");
      if (expected.nonce !== undefined && claims.nonce !== expected.nonce) throw refusal("ID token", "nonce");
      return claims;
    },
    accessToken: async (token, expected) => {
      const claims = await check(token, "access token", accessTokenSchema);
      if (expected.clientId !== undefined && claims.client_id !== expected.clientId) {
        throw refusal("access token", "client_id");
      }
      return claims;
    },
  };
}

/** @param reason a claim's name or jose's code, never a value from the token */
const refusal = (what: string, reason: string): IdentityProviderError =>
  new IdentityProviderError("invalid_response", `Cognito's ${what} does not verify: ${reason}`);

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) return error.claim;
  return error instanceof errors.JOSEError ? error.code : "malformed";
}
