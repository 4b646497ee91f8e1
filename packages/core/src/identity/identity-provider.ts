/** Who signed in, as the identity provider says. */
export interface Identity {
  /** The provider's stable id of the user; unique in one deployment. */
  readonly sub: string;
  readonly username: string;
  readonly groups: readonly string[];
  readonly email?: string;
  readonly emailVerified?: boolean;
  /** Further claims (custom attributes among them), JSON values only. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A token of the provider's own. */
export interface ProviderToken {
  readonly token: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** The result of a sign-in or of a renewal at the provider. */
export interface UpstreamSession {
  readonly identity: Identity;
  /** The provider's refresh token: the new one if it rotated, else the one that was sent; absent if it never gave one. */
  readonly refreshToken?: string;
  /** When the user proved who they are, seconds since the Unix epoch. */
  readonly authTime: number;
  /** The provider's access token. Kept only where the settings say that it may be. */
  readonly accessToken?: ProviderToken;
}

/** What a machine client got from the provider for its own credentials. */
export interface MachineSession {
  /** Scopes as the provider names them. */
  readonly scopes: readonly string[];
  /** When the provider's token ends, milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** A checked access token that the provider itself issued. */
export interface ProviderAccessToken {
  readonly clientId: string;
  readonly sub: string;
  /** Absent for a machine. */
  readonly username?: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** Absent unless the provider bound the token to a resource. */
  readonly audience?: string;
  /** Seconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** An identity provider: Cognito, or another. Nothing here is called at start; everything may reject with {@link IdentityProviderError}. */
export interface IdentityProvider {
  /** Where the browser is sent to sign in, with our callback, PKCE S256 and a nonce. */
  authorizationUrl(request: {
    readonly redirectUri: string;
    readonly state: string;
    readonly nonce: string;
    readonly codeChallenge: string;
    readonly prompt?: "login" | "select_account";
    readonly loginHint?: string;
  }): Promise<URL>;
  /** Redeems the callback's code and checks both tokens: signature, issuer, audience, token_use, nonce. */
  exchangeCode(request: {
    /** The callback's URL as it arrived, on our own configured origin. */
    readonly callbackUrl: URL;
    readonly redirectUri: string;
    readonly state: string;
    readonly nonce: string;
    readonly codeVerifier: string;
  }): Promise<UpstreamSession>;
  /**
   * Fetches what `refresh` needs besides its one request, unless it is there: whoever may ask for a short time only asks
   * for this first. Absent where there is nothing.
   */
  readonly ready?: () => Promise<void>;
  /**
   * Renews. A renewed identity with another `sub` rejects with `invalid_response`.
   * @param request.keepRotated called with a new refresh token where more has to be asked before there is an answer: the
   *   one that was sent is about to die, and the rest may fail
   */
  refresh(request: {
    readonly refreshToken: string;
    readonly sub: string;
    readonly keepRotated?: (refreshToken: string) => Promise<void>;
  }): Promise<UpstreamSession>;
  /** Revokes a refresh token; done as well when the provider no longer knows it. */
  revoke(refreshToken: string): Promise<void>;
  /** Ends every session that a user (`sub`) has at the provider, whichever application began it. Absent where it cannot. */
  readonly signOutEverywhere?: (sub: string) => Promise<void>;
  /** The client credentials grant with the machine client's own id and secret. */
  clientCredentials(request: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly scopes: readonly string[];
  }): Promise<MachineSession>;
  /** Checks an access token of the provider: pinned issuer, signature, exp, token_use. What it may open is the caller's matter. */
  verifyAccessToken(token: string): Promise<ProviderAccessToken>;
  /** Where the browser is sent to end the provider's own session. */
  logoutUrl(returnTo: string): Promise<URL>;
}

/**
 * Why the provider gave nothing:
 * `refused`: it says this code, token or credential is not good (`invalid_grant`; for a machine also `invalid_client`, `invalid_scope`);
 * `misconfigured`: it does not accept our own client (`invalid_client`, `unauthorized_client`);
 * `unavailable`: throttled, 5xx, timeout, no connection;
 * `invalid_response`: it answered something that does not verify.
 */
export type IdentityProviderFailure = "refused" | "misconfigured" | "unavailable" | "invalid_response";

/** The message is for the log only; it holds no token, code or secret. */
export class IdentityProviderError extends Error {
  override readonly name = "IdentityProviderError";
  readonly failure: IdentityProviderFailure;
  /** The OAuth error code the provider sent, if any. */
  readonly providerCode: string | undefined;
  constructor(
    failure: IdentityProviderFailure,
    message: string,
    options: { providerCode?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = failure;
    this.providerCode = options.providerCode;
  }
}
