import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

/** What a client asked for at the authorization endpoint, once every rule has passed. */
export const authorizationRequestSchema = z.object({
  clientId: z.string(),
  redirectUri: z.string(),
  state: z.string().exactOptional(),
  codeChallenge: z.string(),
  resource: z.string(),
  /** Scopes as asked for, or the resource's default; what the user left in place of them, where there was a page. */
  scopes: z.array(z.string()),
  prompt: z.enum(["login", "select_account", "consent"]).exactOptional(),
  loginHint: z.string().exactOptional(),
});

export type AuthorizationRequest = z.output<typeof authorizationRequestSchema>;

/** Who let the request through. `memory`: an earlier approval of this user (`sub`), and of nobody else. */
const consentSchema = z.discriminatedUnion("by", [
  z.object({ by: z.literal("user") }),
  z.object({ by: z.literal("configuration") }),
  z.object({ by: z.literal("memory"), user: z.string() }),
]);

export type Consent = z.output<typeof consentSchema>;

const schema = z.object({
  request: authorizationRequestSchema,
  consent: consentSchema,
  /** SHA-256 of the cookie that binds the transaction to a browser. */
  cookieHash: z.string(),
  /** Our own PKCE verifier and nonce for the identity provider. */
  codeVerifier: z.string(),
  nonce: z.string(),
});

/** A sign-in that is under way at the identity provider: single use, found by `state`. */
export type Transaction = z.output<typeof schema>;

export const transactionKind: RecordKind<Transaction> = {
  kind: "transaction",
  version: 1,
  schema,
  sealed: ["request", "consent", "codeVerifier", "nonce"],
};
