import { labelledHash } from "../crypto/index.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import { issueCode } from "../grants/index.ts";
import { browserCookies, type Parameters, readQuery } from "../http/index.ts";
import { IdentityProviderError, type UpstreamSession } from "../identity/identity-provider.ts";
import type { Transaction } from "../records/index.ts";
import { grantedScopes } from "../scopes/index.ts";
import { type CheckedRequest, recheckRequest } from "./authorization-request.ts";
import { browserUserCookie } from "./browser-user.ts";
import { type AuthorizeDeps, callbackUrl, report } from "./deps.ts";
import { askThisUser } from "./other-user.ts";
import { RedirectableError, redirect, returnLocation } from "./redirect-error.ts";

/** Our `state` is a random id of 256 bits. */
const stateForm = /^[A-Za-z0-9_-]{43}$/;

/**
 * `GET /auth/callback`: the identity provider sends the browser back. The transaction is taken in one step, by the very
 * browser that began it; client and redirect are validated once more; then the code is exchanged, both tokens are
 * verified, and the user's grant is written with a code inside it (RFC 6749 §4.1.2).
 */
export function callback(deps: AuthorizeDeps): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    try {
      const query = readQuery(url);
      const { handle, transaction } = await takeTransaction(deps, request, query);
      const checked = await recheckRequest(deps, transaction.request);
      return await finish(deps, { request, query, search: url.search, handle, transaction, checked });
    } catch (error) {
      const cause = error instanceof RedirectableError ? error.error : error;
      if (cause instanceof OAuthError) report(deps, { action: "signin.refused", reason: cause.reason });
      throw error;
    }
  };
}

interface Arrival {
  readonly request: Request;
  readonly query: Parameters;
  readonly search: string;
  readonly handle: string;
  readonly transaction: Transaction;
  readonly checked: CheckedRequest;
}

/** Takes the transaction, but only for the browser that has its cookie: a stranger's visit must not burn it. */
async function takeTransaction(
  deps: AuthorizeDeps,
  request: Request,
  query: Parameters,
): Promise<{ handle: string; transaction: Transaction }> {
  const handle = query.get("state");
  if (handle === undefined || !stateForm.test(handle)) {
    throw new OAuthError("invalid_request", "state_malformed", "This address is not one that a sign-in leads to.");
  }
  const unknown = () =>
    new OAuthError(
      "invalid_request",
      "transaction_unknown",
      "This sign-in is finished already or older than 10 minutes.",
    );
  const found = await deps.transactions.get(handle);
  if (!found) throw unknown();
  const cookies = browserCookies(request, "tx", deps);
  if (!cookies.some((cookie) => labelledHash("transaction-cookie", cookie) === found.value.cookieHash)) {
    const reason = cookies.length === 0 ? "transaction_cookie_missing" : "transaction_cookie_mismatch";
    const text = "This sign-in was begun in another browser, or this browser did not keep its cookie.";
    throw new OAuthError("invalid_request", reason, text, { status: 403 });
  }
  const transaction = await deps.transactions.take(handle);
  if (!transaction) throw unknown();
  return { handle, transaction };
}

async function finish(deps: AuthorizeDeps, arrival: Arrival): Promise<Response> {
  const { query, transaction, checked } = arrival;
  const to = { redirect: checked.redirect, state: transaction.request.state };
  const refuse = (code: "access_denied" | "server_error" | "temporarily_unavailable", reason: Reason, text: string) =>
    new RedirectableError(to, new OAuthError(code, reason, text));

  const error = query.get("error");
  if (error !== undefined) {
    if (error === "access_denied") throw refuse("access_denied", "provider_denied", "The sign-in was cancelled.");
    throw refuse("server_error", "provider_refused", "The sign-in service could not complete the sign-in.");
  }
  if (query.get("code") === undefined) {
    throw refuse("server_error", "provider_response_invalid", "The sign-in service sent an incomplete answer.");
  }
  const session = await exchange(deps, arrival).catch((failure: unknown) => {
    if (!(failure instanceof IdentityProviderError)) throw failure;
    deps.logger.warn("the identity provider did not complete a sign-in", { error: failure.message });
    const [code, reason, text] = failures[failure.failure];
    throw refuse(code, reason, text);
  });

  const { identity } = session;
  const { consent } = transaction;
  if (consent.by === "memory") {
    // Once more: it may have been forgotten while the user signed in.
    const present = { sub: identity.sub, signedInAt: deps.clock.now() };
    const covered = identity.sub === consent.user && (await deps.consentMemory.covers(present, transaction.request));
    if (!covered) return askThisUser(deps, arrival.request, checked, session, consent.user);
  }
  const scopes = grantedScopes(
    {
      requested: transaction.request.scopes,
      allowedForClient: checked.client.allowedScopes,
      entitled: deps.scopes.ofUser(identity),
      resourcePath: checked.resource.path,
    },
    deps.scopes,
  );
  if (scopes.length === 0) {
    const text = `The account ${identity.username} may use nothing here that was asked for. Ask an administrator for access.`;
    throw refuse("access_denied", "not_entitled", text);
  }
  const { code, grantId, absoluteUntil } = await issueCode(deps, {
    clientId: checked.client.clientId,
    redirectUri: checked.redirect,
    codeChallenge: transaction.request.codeChallenge,
    resource: checked.resource.url,
    scopes,
    clientScopes: checked.client.allowedScopes && deps.scopes.expand(checked.client.allowedScopes),
    session,
  });
  await deps.clients.keepWhileUsed(checked.client.clientId, absoluteUntil);
  report(deps, {
    action: "signin.completed",
    client: checked.client.clientId,
    user: identity.sub,
    grant: grantId,
    resource: checked.resource.url,
    scope: scopes.join(" "),
  });
  if (consent.by === "user" && deps.consentMemory.lifeFor(checked) !== undefined) {
    const remembered = await deps.consentMemory.remember(identity.sub, checked);
    if (remembered) {
      report(deps, { action: "consent.remembered", client: checked.client.clientId, user: identity.sub });
    }
  }
  const cookies = browserUserCookie(deps, arrival.request, identity.sub);
  return redirect(returnLocation(to, deps.issuer, { code }), cookies);
}

const failures = {
  unavailable: [
    "temporarily_unavailable",
    "provider_unavailable",
    "The sign-in service cannot be reached at the moment. Try again.",
  ],
  refused: ["server_error", "provider_refused", "The sign-in service did not accept its own answer. Try again."],
  misconfigured: [
    "server_error",
    "provider_misconfigured",
    "The sign-in service does not know this server. Tell its administrator.",
  ],
  invalid_response: [
    "server_error",
    "provider_response_invalid",
    "The sign-in service sent an answer that cannot be trusted.",
  ],
} as const;

function exchange(deps: AuthorizeDeps, { search, handle, transaction }: Arrival): Promise<UpstreamSession> {
  const redirectUri = callbackUrl(deps);
  return deps.identityProvider.exchangeCode({
    // On our own configured address, whatever the request's Host said.
    callbackUrl: new URL(redirectUri + search),
    redirectUri,
    state: handle,
    nonce: transaction.nonce,
    codeVerifier: transaction.codeVerifier,
  });
}
