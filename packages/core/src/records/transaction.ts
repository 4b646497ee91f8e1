import { z } from "zod";
import type { RecordKind } from "./record-store.ts";

/** What a client asked for at the authorization endpoint, once every rule has passed. */
export const authorizationRequestSchema = z.object({
  clientId: z.string(),
  redirectUri: z.string(),
  state: z.string().exactOptional(),
  codeChallenge: z.string(),
  resource: z.string(),
  /** Scopes as asked for, or the resource's default; included scopes not yet spelled out. */
  scopes: z.array(z.string()),
  prompt: z.enum(["login", "select_account", "consent"]).exactOptional(),
  loginHint: z.string().exactOptional(),
});

export type AuthorizationRequest = z.output<typeof authorizationRequestSchema>;

const schema = z.object({
  request: authorizationRequestSchema,
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
  sealed: ["request", "codeVerifier", "nonce"],
};
