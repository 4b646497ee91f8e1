import type { Reason } from "../errors/index.ts";
import type { ProviderToken } from "../identity/identity-provider.ts";
import { type Grant, UnreadableRecord, type Upstream } from "../records/index.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { GrantDeps } from "./deps.ts";
import { endGrant } from "./end-grant.ts";
import type { Epochs } from "./epochs.ts";
import type { UpstreamRenewer } from "./renew-upstream.ts";

/** Door two's answer about a grant. `unknown` says that it cannot be told now: 503, never 401. */
export type Judgement =
  | { readonly holds: "yes"; readonly grant: Grant; readonly grantId: string }
  | { readonly holds: "no"; readonly reason: Reason }
  | { readonly holds: "unknown"; readonly reason: Reason };

/** Door two: the grant is live, what stands behind it is good, and no kill switch was set since it began. */
export interface GrantJudge {
  /** Reads the grant and the switches at most once per interval; a promise only where something has to be read. */
  judge(grantId: string): Judgement | Promise<Judgement>;
  /** Judges now, whatever is remembered. */
  judgeAfresh(grantId: string): Promise<Judgement>;
}

/** Cognito's own token of a user, for calls to AWS on the user's behalf. */
export interface CognitoTokens {
  /**
   * The access token of the sign-in behind a grant, asked anew of Cognito where less than a minute is left of it. Door
   * two is judged first, now, whatever is remembered. Never rejects for what a judgement can say.
   */
  cognitoToken(grantId: string): Promise<ProviderToken | Exclude<Judgement, { holds: "yes" }>>;
}

/** A judgement with the moment (monotonic) at which the oldest of what it rests on was read. */
interface Judged {
  readonly judgement: Judgement;
  readonly at: number;
}

const mostCached = 50_000;
/** After Cognito failed, this process leaves it alone for a while: with this grant, or with all if nobody was served. */
const backoff = 5_000;
/** Cognito's token is renewed when less than this is left of it, ms: whoever is given one gets to use it. */
const leastLeft = 60_000;
const allGrants = "";
const unknownMachine: Judgement = { holds: "no", reason: "machine_unknown" };

export function createGrantJudge(
  deps: GrantDeps,
  epochs: Epochs,
  renewer: UpstreamRenewer,
): GrantJudge & CognitoTokens {
  const interval = deps.tokens.grantCheckInterval;
  const cache = new Map<string, Judged>();
  const running = new Map<string, Promise<Judgement>>();
  /** When Cognito failed (monotonic), by grant id or {@link allGrants}. */
  const failedAt = new Map<string, number>();

  const remember = (grantId: string, { judgement, at }: Judged): Judgement => {
    if (judgement.holds !== "unknown") setNewest(cache, grantId, { at, judgement });
    return judgement;
  };

  const mayAsk = (grantId: string): boolean => {
    const now = deps.clock.monotonic();
    return [allGrants, grantId].every((key) => now - (failedAt.get(key) ?? Number.NEGATIVE_INFINITY) >= backoff);
  };

  const stateOf = async (grantId: string): Promise<Judged> => {
    const at = deps.clock.monotonic();
    const no = (reason: Reason): Judged => ({ at, judgement: { holds: "no", reason } });
    const grant = (await deps.grants.get(grantId))?.value;
    if (!grant) return no("grant_revoked");
    const { upstream } = grant;
    if (grant.state !== "live" || !upstream) return no("grant_ended");
    const user = upstream.kind === "cognito_session" ? upstream.identity.sub : undefined;
    const epoch = await epochs.latest({ user, client: grant.clientId });
    if (epoch.instant > grant.createdAt) {
      await endSuperseded(grantId);
      return no("grant_superseded_by_epoch");
    }
    const now = deps.clock.now();
    if (grant.absoluteUntil <= now) return no("grant_ended");
    if (isUnknownMachine(upstream)) return no("machine_unknown");
    if (upstream.kind === "cognito_client" && upstream.until <= now) return no("upstream_ended");
    return { at: Math.min(at, epoch.readAt), judgement: { holds: "yes", grant, grantId } };
  };

  const isUnknownMachine = (upstream: Upstream): boolean =>
    upstream.kind !== "cognito_session" && !deps.isMachine(upstream.clientId, upstream.kind);

  /** The settings may be others than when it was remembered; they cost nothing to ask. */
  const underSettingsOfNow = (judgement: Judgement): Judgement =>
    judgement.holds === "yes" && judgement.grant.upstream && isUnknownMachine(judgement.grant.upstream)
      ? unknownMachine
      : judgement;

  /** The switch has decided already: this takes what the grant still holds, Cognito's refresh token among it. */
  const endSuperseded = (grantId: string): Promise<unknown> =>
    endGrant(deps, grantId, "grant_superseded_by_epoch").catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable) && !(error instanceof UnreadableRecord)) throw error;
      const text = "a grant that a kill switch ended could not be written as ended; it counts no more all the same";
      deps.logger.warn(text, { grant: grantId, error: error.message });
    });

  const tryRenew = async (grantId: string, verifiedAt: number) => {
    const renewal = await renewer.renew(grantId, verifiedAt);
    if (renewal === "unavailable") setNewest(failedAt, allGrants, deps.clock.monotonic());
    if (renewal === "unusable") setNewest(failedAt, grantId, deps.clock.monotonic());
    return renewal;
  };

  const withFreshUpstream = async (judged: Judged): Promise<Judged> => {
    const { judgement } = judged;
    if (judgement.holds !== "yes" || judgement.grant.upstream?.kind !== "cognito_session") return judged;
    const { verifiedAt, renewAt } = judgement.grant.upstream;
    const now = deps.clock.now();
    if (now < renewAt) return judged;
    const { grantId } = judgement;
    const runOut = now >= verifiedAt + deps.tokens.upstreamMaxAge;
    // Without a refresh token there is nothing to renew with: what was verified counts until it has run out.
    if (!runOut && judgement.grant.upstream.refreshToken === undefined) return judged;
    if (!runOut) {
      // In the background: this request is served by what is still good enough.
      if (mayAsk(grantId)) {
        tryRenew(grantId, verifiedAt).then(
          () => cache.delete(grantId),
          (error: unknown) => logFailure(error),
        );
      }
      return judged;
    }
    const renewal = mayAsk(grantId) ? await tryRenew(grantId, verifiedAt) : "unavailable";
    if (renewal === "renewed" || renewal === "ended") return stateOf(grantId);
    if (now < verifiedAt + deps.tokens.upstreamMaxAge + deps.tokens.upstreamGrace) return judged;
    const reason = renewal === "busy" ? "upstream_busy" : "provider_unavailable";
    return { at: judged.at, judgement: { holds: "unknown", reason } };
  };

  const logFailure = (error: unknown): void => {
    deps.logger.error("a sign-in could not be renewed", { error: error instanceof Error ? error.message : "unknown" });
  };

  const judgeAfresh = (grantId: string): Promise<Judgement> => {
    const now = running.get(grantId);
    if (now) return now;
    const judged = stateOf(grantId)
      .then(withFreshUpstream)
      .then((judged) => remember(grantId, judged))
      .catch((error: unknown): Judgement => {
        if (!(error instanceof StoreUnavailable) && !(error instanceof UnreadableRecord)) throw error;
        logFailure(error);
        return { holds: "unknown", reason: "store_unavailable" };
      })
      .finally(() => running.delete(grantId));
    running.set(grantId, judged);
    return judged;
  };

  const tokenIn = (judgement: Judgement): ProviderToken | undefined => {
    const token =
      judgement.holds === "yes" && judgement.grant.upstream?.kind === "cognito_session"
        ? judgement.grant.upstream.accessToken
        : undefined;
    return token && token.expiresAt - deps.clock.now() >= leastLeft ? token : undefined;
  };

  const cognitoToken: CognitoTokens["cognitoToken"] = async (grantId) => {
    const judgement = await judgeAfresh(grantId);
    if (judgement.holds !== "yes") return judgement;
    const token = tokenIn(judgement);
    if (token) return token;
    const { upstream } = judgement.grant;
    // With nothing to renew it with, only a new sign-in brings another.
    if (upstream?.kind !== "cognito_session" || upstream.refreshToken === undefined)
      return { holds: "no", reason: "upstream_ended" };
    const renewal = mayAsk(grantId) ? await tryRenew(grantId, upstream.verifiedAt) : "unavailable";
    if (renewal === "busy") return { holds: "unknown", reason: "upstream_busy" };
    const renewed = await judgeAfresh(grantId);
    if (renewed.holds !== "yes") return renewed;
    return tokenIn(renewed) ?? { holds: "unknown", reason: "provider_unavailable" };
  };

  return {
    cognitoToken,
    judge(grantId) {
      const known = cache.get(grantId);
      if (known && deps.clock.monotonic() - known.at < interval) return underSettingsOfNow(known.judgement);
      return judgeAfresh(grantId);
    },
    judgeAfresh,
  };
}

/** Sets an entry as the newest, and drops the oldest beyond the bound. */
function setNewest<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= mostCached) break;
    map.delete(oldest);
  }
}
