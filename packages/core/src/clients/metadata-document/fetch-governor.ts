import { OAuthError } from "../../errors/index.ts";
import { createLimiter, requireAllowance } from "../../limits/index.ts";
import type { Clock } from "../../runtime/index.ts";

/**
 * A minute, for clients that nobody has signed in with yet: anybody may name those, as many as he likes. Few are enough,
 * as a document is kept for a minute at least and a day at most.
 */
const unknownClients = { perOrigin: 10, all: 30, atOnce: 8 };
/** The same for clients with grants, which no stranger can use up. */
const usedClients = { perOrigin: 60, all: 300, atOnce: 16 };

/** Decides which documents are fetched, and when. */
export interface FetchGovernor<T> {
  /**
   * Fetches, unless the same URL is being fetched: then that answer is this one's too.
   * @param known whether the client has grants; those have budgets of their own
   * Rejects with OAuthError 429 (rate_limited) past a budget, or as `fetch` does
   */
  run(url: string, known: boolean, fetch: () => Promise<T>): Promise<T>;
}

export function createFetchGovernor<T>(deps: { readonly clock: Clock }): FetchGovernor<T> {
  const forUnknown = budget(deps.clock, unknownClients);
  const forUsed = budget(deps.clock, usedClients);
  const underWay = new Map<string, Promise<T>>();
  return {
    async run(url, known, fetch) {
      const same = underWay.get(url);
      if (same) return same;
      const leave = (known ? forUsed : forUnknown).enter(new URL(url).origin);
      const fetched = fetch().finally(() => {
        underWay.delete(url);
        leave();
      });
      underWay.set(url, fetched);
      return fetched;
    },
  };
}

const text = "Too many metadata documents of apps are being fetched. Try again in a moment.";

function budget(clock: Clock, limits: typeof unknownClients): { enter(origin: string): () => void } {
  const perOrigin = createLimiter({ clock, perMinute: limits.perOrigin });
  const all = createLimiter({ clock, perMinute: limits.all });
  let open = 0;
  return {
    enter(origin) {
      if (open >= limits.atOnce) {
        throw new OAuthError("temporarily_unavailable", "rate_limited", text, { status: 429, retryAfter: 3 });
      }
      const taken = requireAllowance(perOrigin, origin, text);
      try {
        requireAllowance(all, "", text);
      } catch (error) {
        taken.giveBack();
        throw error;
      }
      open += 1;
      return () => {
        open -= 1;
      };
    },
  };
}
