import * as oauth from "oauth4webapi";
import { z } from "zod";
import type { Clock } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import type { Discovery } from "./discovery.ts";
import type { CognitoEndpoints } from "./endpoints.ts";
import { answerError, type Credentials, parseJson } from "./errors.ts";
import type { CognitoSettings } from "./options.ts";
import { type ProviderFetch, requestName } from "./provider-fetch.ts";
import type { RemoteDocument } from "./remote-document.ts";
import type { TokenVerifier } from "./verify-tokens.ts";

/** What the operations on one user pool share. */
export interface CognitoContext {
  readonly settings: CognitoSettings;
  readonly endpoints: CognitoEndpoints;
  readonly discovery: RemoteDocument<Discovery>;
  readonly verifier: TokenVerifier;
  readonly fetch: ProviderFetch;
  readonly clock: Clock;
}

const tokenAnswerSchema = z.object({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  id_token: z.string().min(1).optional(),
  refresh_token: z.string().min(1).optional(),
});

/** RFC 6749 §5.1. Cognito sends no `scope`. */
export type TokenAnswer = z.output<typeof tokenAnswerSchema>;

/** The authorization server for oauth4webapi. The endpoints are the configured domain's, not the discovery's. */
export const authorizationServer = (endpoints: CognitoEndpoints, issuer: string): oauth.AuthorizationServer => ({
  issuer,
  token_endpoint: endpoints.token.href,
  revocation_endpoint: endpoints.revocation.href,
});

/** Options for oauth4webapi's requests that send them through our own fetch. */
export function requestOptions(context: CognitoContext): {
  [oauth.customFetch]: (url: string, init: oauth.CustomFetchOptions<"POST", URLSearchParams>) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
} {
  return {
    [oauth.customFetch]: async (url, { method, headers, body }) => {
      const answer = await context.fetch(new URL(url), { method, headers, body });
      return new Response(answer.body === "" ? null : answer.body, { status: answer.status });
    },
    // The settings let http through on loopback only.
    [oauth.allowInsecureRequests]: context.endpoints.token.protocol === "http:",
  };
}

/**
 * Runs a request of oauth4webapi. Its errors carry requests and answers as causes, so nothing of them is kept but the
 * code.
 */
export async function viaOauth4webapi<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IdentityProviderError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new IdentityProviderError("invalid_response", `${what} is not valid: ${code}`);
  }
}

/** Reads the answer of the token endpoint. */
export async function tokenAnswer(
  context: CognitoContext,
  response: Response,
  whose: Credentials,
): Promise<TokenAnswer> {
  const what = requestName(context.endpoints.token, "POST");
  const body = await response.text();
  if (response.status !== 200) throw answerError(what, response.status, body, whose);
  const tokens = tokenAnswerSchema.safeParse(parseJson(body));
  if (!tokens.success) {
    const fields = tokens.error.issues.map((issue) => issue.path.join(".") || "body").join(", ");
    throw new IdentityProviderError("invalid_response", `${what} answered 200 with a wrong ${fields}`);
  }
  return tokens.data;
}
