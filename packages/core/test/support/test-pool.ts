import {
  type Identity,
  type IdentityProvider,
  IdentityProviderError,
  type UpstreamSession,
} from "../../src/identity/index.ts";
import type { Clock } from "../../src/runtime/index.ts";

/** A user pool in memory with one user, refresh token rotation and a grace of 60 s. For what is above the provider's contract. */
export interface TestPool {
  readonly provider: IdentityProvider;
  /** May be changed at any time, as an administrator would. */
  user: { groups: readonly string[]; enabled: boolean };
  /** The refresh tokens that were sent to be renewed, in order. */
  readonly renewals: readonly string[];
  readonly revoked: readonly string[];
  /** Comes before every renewal takes effect: may wait or throw. */
  beforeRenewal: () => Promise<void>;
  /** Comes after a renewal took effect and before its answer: may wait or throw. */
  afterRenewal: () => Promise<void>;
  /** What a finished sign-in gives. */
  signIn(): UpstreamSession;
}

export const testSub = "5a11e000-0000-4000-8000-000000000001";
const grace = 60_000;

export function testPool(clock: Clock): TestPool {
  const good = new Map<string, number>();
  const renewals: string[] = [];
  const revoked: string[] = [];
  let made = 0;

  const session = (): UpstreamSession => {
    made += 1;
    const refreshToken = `cognito-refresh-${made}`;
    good.set(refreshToken, Number.POSITIVE_INFINITY);
    const identity: Identity = {
      sub: testSub,
      username: "alice",
      groups: pool.user.groups,
      email: "alice@example.com",
      emailVerified: true,
      claims: { "custom:department": "demo" },
    };
    return { identity, refreshToken, authTime: Math.floor(clock.now() / 1000) };
  };

  const unused = (): never => {
    throw new Error("not part of this pool");
  };
  const pool: TestPool = {
    user: { groups: ["admins"], enabled: true },
    renewals,
    revoked,
    beforeRenewal: async () => {},
    afterRenewal: async () => {},
    signIn: session,
    provider: {
      authorizationUrl: async ({ redirectUri, state }) =>
        new URL(`https://pool.example/oauth2/authorize?${new URLSearchParams({ redirect_uri: redirectUri, state })}`),
      exchangeCode: async () => session(),
      async refresh({ refreshToken, sub }) {
        renewals.push(refreshToken);
        await pool.beforeRenewal();
        const until = good.get(refreshToken);
        if (until === undefined || until < clock.now() || !pool.user.enabled || sub !== testSub) {
          throw new IdentityProviderError("refused", "the pool answered 400 invalid_grant");
        }
        if (until === Number.POSITIVE_INFINITY) good.set(refreshToken, clock.now() + grace);
        const renewed = session();
        await pool.afterRenewal();
        return renewed;
      },
      async revoke(refreshToken) {
        revoked.push(refreshToken);
        good.delete(refreshToken);
      },
      clientCredentials: unused,
      verifyAccessToken: async () => {
        throw new IdentityProviderError("invalid_response", "the token is not the pool's");
      },
      logoutUrl: unused,
    },
  };
  return pool;
}
