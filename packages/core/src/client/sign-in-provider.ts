import {
  auth,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  prepareAuthorizationCodeRequest,
  refreshAuthorization,
  startAuthorization,
} from "@modelcontextprotocol/client";
import { type Browser, signInWithBrowser } from "./browser-sign-in.ts";
import { type ClientOptions, withDefaults } from "./client-options.ts";
import { keptTokens } from "./kept-tokens.ts";
import { lease } from "./lease.ts";
import { callbackPath } from "./loopback-listener.ts";
import { revokeSignIn } from "./revoke-sign-in.ts";
import { type CachedTokens, tokenCache } from "./token-cache.ts";

/** How long the SDK's own token request may keep others waiting if it fails, ms. */
const longestRequest = 20_000;
const defaultSignInTimeout = 300_000;
/** For so long nobody is asked again for what they have just not given, ms. */
const justSignedIn = 30_000;

export interface SignInOptions extends ClientOptions {
  /** How the user gets to the sign-in page. */
  readonly browser: Browser;
  /** Shown on the consent page. */
  readonly clientName: string;
  /** A registered public client. Default: the metadata document where the server takes one, else a registration. */
  readonly clientId?: string;
  /** The URL of this program's client-id metadata document. */
  readonly clientMetadataUrl?: string;
  /** How long the user has, milliseconds. Default five minutes. */
  readonly timeout?: number;
}

/** The identity of a person: an `authProvider` for the transports of MCP SDK v2. */
export interface SignInProvider extends OAuthClientProvider {
  /**
   * Signs in now, whatever is kept. Without this, the first request that needs a sign-in starts one.
   * @param scope scopes to ask for, separated by spaces; default: what the server proposes
   * @throws SignInError where the user does not, or may not; OAuthError where a request is refused
   */
  signIn(scope?: string): Promise<void>;
  /** Ends the sign-in at the authorization server, as far as that offers it, and forgets it here in any case. */
  signOut(): Promise<void>;
}

/**
 * Signs a person in with the browser, over loopback (RFC 8252) and with PKCE, and keeps the tokens on disk for all
 * processes. The SDK sees a flow without redirects of its own: its transports wait for the sign-in and then go on, also
 * where a tool asks for more scopes.
 */
export function signInProvider(options: SignInOptions): SignInProvider {
  const { resource, folder, runtime } = withDefaults(options);
  const { clock, random, fetch } = runtime;
  const { browser, clientId, clientMetadataUrl, timeout = defaultSignInTimeout } = options;
  const cache = tokenCache({ folder, resource, identity: "user", clock, random });
  const kept = keptTokens(cache, {
    clock,
    fetch,
    renewal: (issuer, { client, tokens, indicator }, metadata) => {
      const clientInformation = clientId === undefined ? client : { client_id: clientId };
      if (!clientInformation || tokens?.refresh_token === undefined) return undefined;
      const resourceIndicator = indicator === undefined ? {} : { resource: indicator };
      const refreshToken = tokens.refresh_token;
      return refreshAuthorization(issuer, {
        metadata,
        clientInformation,
        refreshToken,
        fetchFn: fetch,
        ...resourceIndicator,
      });
    },
  });
  const turns = lease(clock, longestRequest);

  let issuer: string | undefined;
  let discovered: OAuthDiscoveryState | undefined;
  let indicator: string | undefined;
  /** The tokens that the SDK's request of now renews. */
  let renewed: CachedTokens | undefined;
  let forced = false;
  let lastSignIn: { readonly asked: readonly string[]; readonly at: number } | undefined;

  const current = (): string => {
    if (issuer === undefined) throw new Error("the authorization server is not known yet");
    return issuer;
  };

  /**
   * A token that is fresh and lacks a scope is no case for a refresh, which widens nothing (RFC 6749 §6). One that has run
   * out is, even where it never had all scopes: less than what was asked for is a normal answer. And a request that was
   * under way during a sign-in finds its answer there.
   */
  const needsSignIn = async (scope: string | undefined): Promise<boolean> => {
    const found = (await cache.read(current()))?.kept;
    if (forced || found?.tokens?.refresh_token === undefined) return true;
    const granted = scopesIn(found.tokens.scope);
    const lacking = scopesIn(scope).filter((name) => name !== "offline_access" && !granted.includes(name));
    const { asked = [], at = Number.NEGATIVE_INFINITY } = lastSignIn ?? {};
    const answered = clock.monotonic() - at < justSignedIn && lacking.every((name) => asked.includes(name));
    return lacking.length > 0 && !answered && kept.isFresh(found);
  };

  const signedIn = async (scope: string | undefined): Promise<URLSearchParams> => {
    const metadata = discovered?.authorizationServerMetadata;
    if (!metadata) throw new Error(`${current()} does not publish its metadata`);
    const client = clientId === undefined ? (await cache.read(current()))?.kept.client : { client_id: clientId };
    if (!client) throw new Error("there is no client to sign in with");
    let verifier = "";
    const { code, redirectUri } = await signInWithBrowser({
      browser,
      issuer: metadata.issuer,
      issRequired: metadata.authorization_response_iss_parameter_supported === true,
      timeout,
      clock,
      random,
      async authorizationUrl(redirectUrl, state) {
        const request = { metadata, clientInformation: client, redirectUrl, state };
        const started = await startAuthorization(current(), {
          ...request,
          ...(scope === undefined ? {} : { scope }),
          ...(indicator === undefined ? {} : { resource: indicator }),
        });
        verifier = started.codeVerifier;
        return started.authorizationUrl;
      },
    });
    return prepareAuthorizationCodeRequest(code, verifier, redirectUri);
  };

  const provider: SignInProvider = {
    redirectUrl: undefined,
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    clientMetadata: {
      client_name: options.clientName,
      // RFC 8252 §7.3: without a port, since it is another one each time.
      redirect_uris: [`http://127.0.0.1${callbackPath}`],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    async clientInformation(context) {
      if (context) issuer = context.issuer;
      if (clientId !== undefined) return { client_id: clientId, ...(issuer === undefined ? {} : { issuer }) };
      return (await cache.read(issuer))?.kept.client;
    },
    // The first of several at once: a code is redeemed by the client that asked for it.
    saveClientInformation: (client) => cache.change(current(), (before) => ({ client, ...before })),
    saveDiscoveryState(state) {
      discovered = state;
    },
    saveResourceUrl(url) {
      indicator = url;
    },
    tokens: async (context) => (context ? (await cache.read(context.issuer))?.kept.tokens : kept.fresh()),
    async prepareTokenRequest(scope) {
      const turn = await turns.begin();
      try {
        if (await needsSignIn(scope)) {
          renewed = undefined;
          const request = await signedIn(scope);
          lastSignIn = { asked: scopesIn(scope), at: clock.monotonic() };
          turn.bound();
          return request;
        }
        turn.atEnd(await cache.lock());
        renewed = (await cache.read(current()))?.kept.tokens;
        if (renewed?.refresh_token === undefined) throw new Error("the sign-in has ended; try again");
        turn.bound();
        return new URLSearchParams({ grant_type: "refresh_token", refresh_token: renewed.refresh_token });
      } catch (error) {
        turns.end();
        throw error;
      }
    },
    async saveTokens(tokens) {
      try {
        // RFC 6749 §5.1: an answer without scope gives what was asked for.
        const asked = renewed || !lastSignIn?.asked.length ? {} : { scope: lastSignIn.asked.join(" ") };
        await kept.save(current(), { ...asked, ...tokens }, renewed);
        if (indicator !== undefined) {
          const saved = indicator;
          await cache.change(current(), (before) => ({ ...before, indicator: saved }));
        }
      } finally {
        turns.end();
      }
    },
    async invalidateCredentials(what) {
      try {
        if (what === "client" || what === "all") {
          await cache.change(current(), ({ client: _, ...before }) => before);
        }
        if (what === "tokens" || what === "all") await kept.drop(current(), renewed);
      } finally {
        turns.end();
      }
    },
    // The SDK asks for these three only where it leads the user itself.
    redirectToAuthorization: noRedirect,
    saveCodeVerifier: noRedirect,
    codeVerifier: noRedirect,
    async signIn(scope) {
      forced = true;
      try {
        await auth(provider, { serverUrl: resource, fetchFn: fetch, ...(scope === undefined ? {} : { scope }) });
      } finally {
        forced = false;
      }
    },
    async signOut() {
      const found = await cache.read();
      try {
        if (found) await revokeSignIn(found.issuer, found.kept, clientId, fetch);
      } finally {
        await cache.clear();
      }
    },
  };
  return provider;
}

const scopesIn = (scope: string | undefined): readonly string[] => (scope ?? "").split(" ").filter(Boolean);

function noRedirect(): never {
  throw new Error("this provider signs in by itself; it has no redirect to hand over");
}
