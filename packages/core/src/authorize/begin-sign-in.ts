import { labelledHash, randomId, s256 } from "../crypto/index.ts";
import type { Transaction } from "../records/index.ts";
import type { ConsentedRequest } from "./consented-request.ts";
import { type AuthorizeDeps, callbackUrl } from "./deps.ts";
import { logoutUri, ownLogout } from "./logout-uri.ts";
import { detourOverLogout } from "./sign-in-after-logout.ts";

/** How long a user may take at the identity provider, ms. */
export const transactionLife = 600_000;

/** A sign-in that has been written down and may be walked to. */
export interface BegunSignIn {
  /** Where the browser goes: the identity provider's authorization endpoint, or first its `/logout`. */
  readonly location: string;
  /** `state` at the identity provider, and the record's handle. */
  readonly handle: string;
  /** Value of the cookie that binds the transaction to this browser. */
  readonly cookie: string;
  /** Value of the cookie that brings the browser back from the provider's `/logout`, where it goes there first. */
  readonly continuation?: string;
}

/**
 * Begins a sign-in at the identity provider: our own state, PKCE verifier and nonce, kept in a single-use transaction.
 * The address is computed before anything is written, so that an outage there leaves nothing behind.
 */
export async function beginSignIn(deps: AuthorizeDeps, consented: ConsentedRequest): Promise<BegunSignIn> {
  const { request } = consented;
  const [handle, cookie, codeVerifier, nonce] = [1, 2, 3, 4].map(() => randomId(deps.random)) as [
    string,
    string,
    string,
    string,
  ];
  // Where nobody comes back from Cognito's /logout, managed login still asks for the account anew.
  const { anotherAccount } = consented;
  const asked = request.prompt === "consent" ? undefined : request.prompt;
  const comesBack = logoutUri(deps) === ownLogout(deps);
  const prompt = anotherAccount && !comesBack ? "login" : asked;
  const authorization = await deps.identityProvider.authorizationUrl({
    redirectUri: callbackUrl(deps),
    state: handle,
    nonce,
    codeChallenge: s256(codeVerifier),
    ...(prompt === undefined ? {} : { prompt }),
    // The hint names the account that the user has just turned away from.
    ...(request.loginHint === undefined || anotherAccount ? {} : { loginHint: request.loginHint }),
  });
  const detour = anotherAccount ? await detourOverLogout(deps, authorization, transactionLife) : undefined;
  const transaction: Transaction = {
    request,
    consent: consented.consent,
    cookieHash: labelledHash("transaction-cookie", cookie),
    codeVerifier,
    nonce,
  };
  await deps.transactions.put(handle, transaction, { ttl: transactionLife, ifAbsent: true });
  return { location: authorization.href, handle, cookie, ...detour };
}
