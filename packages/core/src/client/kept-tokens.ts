import {
  discoverAuthorizationServerMetadata,
  type FetchLike,
  OAuthError,
  OAuthErrorCode,
  type OAuthTokens,
  type StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import type { Clock } from "../runtime/index.ts";
import type { CachedSignIn, CachedTokens, TokenCache } from "./token-cache.ts";

/** An access token is renewed when this little of its life is left: a share, and in milliseconds at most. */
const margin = { share: 0.1, most: 30_000 };

type Metadata = NonNullable<Awaited<ReturnType<typeof discoverAuthorizationServerMetadata>>>;

/** Asks for a new access token. Undefined: this identity has nothing to ask with. */
export type Renewal = (
  issuer: string,
  kept: CachedSignIn,
  metadata: Metadata,
) => Promise<OAuthTokens | undefined> | undefined;

/** The tokens of an identity, renewed in time and by one process for all. */
export interface KeptTokens {
  /**
   * Tokens that hold for a while yet; undefined where there are none and none can be had without a sign-in.
   * Rejects where they have ended and the authorization server does not answer.
   */
  fresh(): Promise<StoredOAuthTokens | undefined>;
  /** Whether the access token still has some life, by this machine's clock. */
  isFresh(kept: CachedSignIn): boolean;
  /**
   * Keeps the answer of a token endpoint.
   * @param before what the answer renews: members that it leaves out stay
   */
  save(issuer: string, tokens: OAuthTokens, before?: CachedTokens): Promise<void>;
  /** Forgets tokens that are refused, unless another process has put others in their place. */
  drop(issuer: string, refused: CachedTokens | undefined): Promise<void>;
}

export function keptTokens(
  cache: TokenCache,
  deps: { readonly clock: Clock; readonly fetch: FetchLike; readonly renewal: Renewal },
): KeptTokens {
  const { clock, fetch, renewal } = deps;

  const left = (kept: CachedSignIn): number => (kept.expiresAt ?? Number.POSITIVE_INFINITY) - clock.now();
  const isFresh = (kept: CachedSignIn): boolean => {
    const life = (kept.tokens?.expires_in ?? 0) * 1000;
    return left(kept) > Math.min(margin.most, life * margin.share);
  };

  const save: KeptTokens["save"] = (issuer, answer, before) =>
    cache.change(issuer, ({ expiresAt: _, ...kept }) => {
      const { access_token, token_type, expires_in } = answer;
      const refresh_token = answer.refresh_token ?? before?.refresh_token;
      // RFC 6749 §5.1: left out, it is what was asked for.
      const scope = answer.scope ?? before?.scope;
      const tokens = {
        access_token,
        token_type,
        issuer,
        ...(refresh_token === undefined ? {} : { refresh_token }),
        ...(scope === undefined ? {} : { scope }),
        ...(expires_in === undefined ? {} : { expires_in }),
      };
      return { ...kept, tokens, ...(expires_in === undefined ? {} : { expiresAt: clock.now() + expires_in * 1000 }) };
    });

  const drop: KeptTokens["drop"] = (issuer, refused) =>
    cache.change(issuer, (kept) => {
      if (refused && kept.tokens?.access_token !== refused.access_token) return kept;
      const { tokens: _, expiresAt: __, ...rest } = kept;
      return rest;
    });

  const renew = async (issuer: string): Promise<StoredOAuthTokens | undefined> => {
    const unlock = await cache.lock();
    try {
      const kept = (await cache.read(issuer))?.kept;
      // Another process was quicker.
      if (!kept?.tokens || isFresh(kept)) return kept?.tokens;
      try {
        const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: fetch });
        if (!metadata) throw new Error(`${issuer} does not publish its metadata`);
        const answer = await renewal(issuer, kept, metadata);
        if (answer) await save(issuer, answer, kept.tokens);
        else if (left(kept) > 0) return kept.tokens;
        else return undefined;
        return (await cache.read(issuer))?.kept.tokens;
      } catch (error) {
        if (isRefusal(error)) {
          await drop(issuer, kept.tokens);
          return undefined;
        }
        // An outage ends no sign-in.
        if (left(kept) > 0) return kept.tokens;
        throw error;
      }
    } finally {
      unlock();
    }
  };

  return {
    isFresh,
    save,
    drop,
    async fresh() {
      const found = await cache.read();
      if (!found?.kept.tokens) return undefined;
      return isFresh(found.kept) ? found.kept.tokens : renew(found.issuer);
    },
  };
}

/** RFC 6749 §5.2: what asking again does not mend. */
const refusals: ReadonlySet<string> = new Set([
  OAuthErrorCode.InvalidGrant,
  OAuthErrorCode.InvalidClient,
  OAuthErrorCode.UnauthorizedClient,
]);

const isRefusal = (error: unknown): boolean => error instanceof OAuthError && refusals.has(error.code);
