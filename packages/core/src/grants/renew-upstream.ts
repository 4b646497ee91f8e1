import { randomId } from "../crypto/index.ts";
import { IdentityProviderError, type UpstreamSession } from "../identity/identity-provider.ts";
import type { Grant, Upstream } from "../records/index.ts";
import { changeGrant } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";
import { endGrant } from "./end-grant.ts";
import { cognitoSession } from "./upstream-session.ts";

/** Shorter than Cognito's rotation grace (60 s at best), so that whoever takes over can still send the old token. */
const leaseTime = 10_000;
const longestWait = 5_000;
const pollEvery = 50;
const mostSeen = 10_000;

/**
 * `busy`: another replica holds the lease and did not finish in time; `unavailable`: Cognito serves nobody at the moment;
 * `unusable`: its answer for this one grant cannot be trusted.
 */
export type Renewal = "renewed" | "ended" | "busy" | "unavailable" | "unusable";

type CognitoSession = Extract<Upstream, { kind: "cognito_session" }>;

/** A lease that another process holds, and since when this process has seen it, by its own monotonic clock. */
interface SeenLease {
  readonly holder: string;
  readonly since: number;
}

/** Renews the Cognito session behind grants; of all callers in all replicas, at most one talks to Cognito for a grant at a time. */
export interface UpstreamRenewer {
  /** Asks Cognito again, unless the session was verified later than `olderThan` (ms). */
  renew(grantId: string, olderThan: number): Promise<Renewal>;
  /** Resolves when every renewal that is under way is over; never rejects. */
  settled(): Promise<void>;
}

export function createUpstreamRenewer(deps: GrantDeps): UpstreamRenewer {
  const running = new Map<string, Promise<Renewal>>();
  const seen = new Map<string, SeenLease>();

  const renewOnce = async (grantId: string, olderThan: number): Promise<Renewal> => {
    const started = deps.clock.monotonic();
    const holder = randomId(deps.random, 12);
    const unready = await prepare(grantId);
    if (unready) return unready;
    for (;;) {
      const step = await acquire(grantId, holder, olderThan);
      if (step.outcome || step.session) seen.delete(grantId);
      if (step.outcome) return step.outcome;
      if (step.session) return await askCognito(grantId, holder, step.session, true);
      // What was seen of the lease is kept: a wait is shorter than a lease, so it takes the next caller to outlast it.
      if (deps.clock.monotonic() - started >= longestWait) return "busy";
      await deps.clock.sleep(pollEvery);
    }
  };

  /** Before the lease: a key set that is slow to come must not use up its life. */
  const prepare = async (grantId: string): Promise<Renewal | undefined> => {
    try {
      await deps.identityProvider.ready?.();
      return undefined;
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      report(grantId, "upstream.failed", error);
      return "unavailable";
    }
  };

  /** Takes the lease, or says that there is nothing to do, or neither: somebody else has it. */
  const acquire = async (
    grantId: string,
    holder: string,
    olderThan: number,
  ): Promise<{ outcome?: Renewal; session?: CognitoSession }> => {
    const result = await changeGrant<{ outcome?: Renewal; session?: CognitoSession }>(deps, grantId, (grant) => {
      if (grant.state === "ended") return { result: { outcome: "ended" } };
      if (grant.upstream?.kind !== "cognito_session") return { result: { outcome: "renewed" } };
      if (grant.upstream.verifiedAt > olderThan) return { result: { outcome: "renewed" } };
      if (heldByAnother(grantId, grant)) return { result: {} };
      const lease = { holder, until: deps.clock.now() + leaseTime };
      return { grant: { ...grant, lease }, result: { session: grant.upstream } };
    });
    return result ?? { outcome: "ended" };
  };

  /**
   * A lease ends when its time is over by the wall clock, or when this process has watched it for so long by its own
   * monotonic clock: a holder whose wall clock runs ahead does not block the grant.
   */
  const heldByAnother = (grantId: string, grant: Grant): boolean => {
    const { lease } = grant;
    if (!lease || lease.until <= deps.clock.now()) return false;
    const now = deps.clock.monotonic();
    const known = seen.get(grantId);
    if (known?.holder === lease.holder) return now - known.since < leaseTime;
    seen.delete(grantId);
    seen.set(grantId, { holder: lease.holder, since: now });
    const oldest = seen.keys().next();
    if (seen.size > mostSeen && !oldest.done) seen.delete(oldest.value);
    return true;
  };

  const askCognito = async (
    grantId: string,
    holder: string,
    session: CognitoSession,
    mayRetry: boolean,
  ): Promise<Renewal> => {
    const { refreshToken } = session;
    if (refreshToken === undefined) {
      await endGrant(deps, grantId, "upstream_ended");
      return "ended";
    }
    let held = refreshToken;
    const keepRotated = async (rotated: string): Promise<void> => {
      const kept = await changeGrant(deps, grantId, (grant) => {
        if (grant.state === "ended" || grant.upstream?.kind !== "cognito_session") return { result: false };
        if (grant.upstream.refreshToken !== held) return { result: false };
        return { grant: { ...grant, upstream: { ...grant.upstream, refreshToken: rotated } }, result: true };
      });
      if (kept) held = rotated;
    };
    let answer: UpstreamSession;
    try {
      answer = await deps.identityProvider.refresh({ refreshToken, sub: session.identity.sub, keepRotated });
    } catch (error) {
      return failed(grantId, holder, held, error, mayRetry);
    }
    // Before anything else: if Cognito rotated, the token that was sent is about to die.
    await changeGrant(deps, grantId, (grant) => {
      if (grant.state === "ended" || grant.upstream?.kind !== "cognito_session") return { result: undefined };
      const mine = grant.lease?.holder === holder;
      // Whoever took the lease over has written a newer answer: ours is older news.
      if (!mine && grant.upstream.refreshToken !== held) return { result: undefined };
      const { lease, ...rest } = grant;
      const renewed = { ...rest, upstream: cognitoSession(deps, answer) };
      return { grant: mine || !lease ? renewed : { ...renewed, lease }, result: undefined };
    });
    report(grantId, "upstream.renewed");
    return "renewed";
  };

  const failed = async (
    grantId: string,
    holder: string,
    sent: string,
    error: unknown,
    mayRetry: boolean,
  ): Promise<Renewal> => {
    if (!(error instanceof IdentityProviderError)) throw error;
    if (error.failure === "refused") {
      const stillSent = (grant: Grant): boolean =>
        grant.lease?.holder === holder &&
        grant.upstream?.kind === "cognito_session" &&
        grant.upstream.refreshToken === sent;
      if (await endGrant(deps, grantId, "upstream_ended", (grant) => !stillSent(grant))) return "ended";
      const stored = (await deps.grants.get(grantId))?.value;
      if (!stored || stored.state === "ended") return "ended";
      // Another token is stored by now, or the lease is another's: what Cognito refused is no longer the question.
      if (mayRetry && stored.upstream?.kind === "cognito_session" && stored.upstream.refreshToken !== sent) {
        return askCognito(grantId, holder, stored.upstream, false);
      }
      return "busy";
    }
    report(grantId, "upstream.failed", error);
    await changeGrant(deps, grantId, (grant) => {
      if (grant.state === "ended" || grant.lease?.holder !== holder) return { result: undefined };
      const { lease: _lease, ...rest } = grant;
      return { grant: rest, result: undefined };
    });
    return error.failure === "invalid_response" ? "unusable" : "unavailable";
  };

  const report = (
    grantId: string,
    action: "upstream.renewed" | "upstream.failed",
    error?: IdentityProviderError,
  ): void => {
    const reason =
      error?.failure === "misconfigured"
        ? "provider_misconfigured"
        : error?.failure === "invalid_response"
          ? "provider_response_invalid"
          : "provider_unavailable";
    deps.audit.write({
      time: new Date(deps.clock.now()).toISOString(),
      action,
      grant: grantId,
      ...(error ? { reason } : {}),
    });
    if (error)
      deps.logger.error("Cognito did not renew a sign-in; nothing was revoked", {
        grant: grantId,
        error: error.message,
      });
  };

  return {
    renew(grantId, olderThan) {
      const now = running.get(grantId);
      if (now) return now;
      const renewal = renewOnce(grantId, olderThan).finally(() => running.delete(grantId));
      running.set(grantId, renewal);
      return renewal;
    },
    async settled() {
      await Promise.allSettled(running.values());
    },
  };
}
