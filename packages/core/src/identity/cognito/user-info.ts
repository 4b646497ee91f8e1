import { z } from "zod";
import { IdentityProviderError } from "../identity-provider.ts";
import { answerError, parseJson } from "./errors.ts";
import { requestName } from "./provider-fetch.ts";
import type { CognitoContext } from "./token-request.ts";
import { booleanClaim } from "./verify-tokens.ts";

const schema = z.looseObject({
  sub: z.string().min(1),
  email: z.string().exactOptional(),
  email_verified: booleanClaim.exactOptional(),
  phone_number_verified: booleanClaim.exactOptional(),
});

/** What the userInfo endpoint says of a user. Cognito's booleans are texts there; these two are booleans again. */
export type UserInfo = z.output<typeof schema>;

/**
 * Asks for the user's attributes with a fresh access token. The answer is not signed: nothing that decides access is
 * taken from it. Sources: OpenID Connect Core §5.3; Cognito Developer Guide, "UserInfo endpoint".
 * @param sub the ID token's: an answer about another user is not used (OpenID Connect Core §5.3.4)
 * @param within how long it may take, ms; the time for any request when left out
 * Rejects with {@link IdentityProviderError}: `refused` where Cognito no longer takes the token
 */
export async function userInfo(
  context: CognitoContext,
  request: { readonly accessToken: string; readonly sub: string; readonly within?: number },
): Promise<UserInfo> {
  const { userInfo: url } = context.endpoints;
  const headers = { authorization: `Bearer ${request.accessToken}`, accept: "application/json" };
  const { status, body } = await context.fetch(url, { headers }, request.within);
  const what = requestName(url);
  // Told apart from other refusals: the token was good a moment ago, so the user has been disabled or signed out.
  if (status === 401) throw new IdentityProviderError("refused", `${what} answered 401`);
  if (status !== 200) throw answerError(what, status, body, "own");
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "body").join(", ");
    throw new IdentityProviderError("invalid_response", `${what} answered 200 with a wrong ${fields}`);
  }
  if (parsed.data.sub !== request.sub) {
    throw new IdentityProviderError("invalid_response", `${what} answered for another subject`);
  }
  return parsed.data;
}
