import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

/** Who signed in, as last told by the identity provider. */
const identity = z.object({
  sub: z.string(),
  username: z.string(),
  groups: z.array(z.string()),
  email: z.string().exactOptional(),
  emailVerified: z.boolean().exactOptional(),
  claims: z.record(z.string(), z.unknown()),
});

/** What stands behind a grant. Each kind names its own second door (design of the request check in `grants/judge-grant.ts`). */
const upstream = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("cognito_session"),
    identity,
    /** Cognito's refresh token; absent if Cognito gave none, and the grant then ends with what was verified. */
    refreshToken: z.string().exactOptional(),
    /** Cognito's access token and its end, ms; only under `exposeCognitoToken`. */
    accessToken: z.object({ token: z.string(), expiresAt: z.number() }).exactOptional(),
    /** When Cognito last vouched for the user, ms. */
    verifiedAt: z.number(),
    /** From when on a request starts a renewal in the background, ms. */
    renewAt: z.number(),
  }),
  z.object({
    kind: z.literal("cognito_client"),
    clientId: z.string(),
    /** End of Cognito's answer, ms. */
    until: z.number(),
  }),
  z.object({
    kind: z.literal("registered_key"),
    /** The machine's entry in the configuration, which holds its keys. */
    clientId: z.string(),
  }),
]);

/** A used refresh token, kept so that a retry gets the same successor and a later reuse is seen. */
const usedToken = z.object({
  n: z.int(),
  hash: z.string(),
  /** Root key whose successor key gave the token that followed. */
  kid: z.string(),
  salt: z.string(),
  /** First use, ms. */
  usedAt: z.number(),
});

const schema = z.object({
  /** code issued → live → ended; never back. */
  state: z.enum(["code_issued", "live", "ended"]),
  principal: z.enum(["user", "machine"]),
  /** ms. Kill switches set later than this end the grant. */
  createdAt: z.number(),
  clientId: z.string(),
  resource: z.string(),
  /** What was granted, included scopes spelled out. */
  scopes: z.array(z.string()),
  /** The most that the client may have, as it stood at the sign-in, included scopes spelled out; absent: no bound. */
  clientScopes: z.array(z.string()).exactOptional(),
  code: z
    .object({
      hash: z.string(),
      challenge: z.string(),
      redirectUri: z.string(),
      expiresAt: z.number(),
      redeemedAt: z.number().exactOptional(),
    })
    .exactOptional(),
  refresh: z
    .object({
      n: z.int(),
      hash: z.string(),
      /** Root key that tagged it. */
      kid: z.string(),
      /** An unused token ends here, ms. */
      idleUntil: z.number(),
      /** The newest used tokens, oldest first. */
      used: z.array(usedToken),
    })
    .exactOptional(),
  /** No token of the grant outlives this, ms. */
  absoluteUntil: z.number(),
  upstream: upstream.exactOptional(),
  /** Who may talk to Cognito for this grant, and until when (ms, wall clock). */
  lease: z.object({ holder: z.string(), until: z.number() }).exactOptional(),
  endedBecause: z.string().exactOptional(),
});

/** One sign-in of one user through one client, or one exchange of one machine: the unit of refresh and of revocation. */
export type Grant = z.output<typeof schema>;
export type Upstream = z.output<typeof upstream>;
export type UsedToken = z.output<typeof usedToken>;

export const grantKind: RecordKind<Grant> = { kind: "grant", version: 1, schema, sealed: ["upstream"] };
