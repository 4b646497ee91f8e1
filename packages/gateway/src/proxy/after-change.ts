import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "sallyport";
import type { GatewayState } from "../gateway-state.ts";
import type { Exchange } from "./exchange.ts";
import { settingsChanged } from "./faults.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import type { Upstream } from "./upstream.ts";

/** How long calls have that are under way at a server which is gone or has moved, in milliseconds. */
const drainTime = 60_000;

/** How long what is ended has to reach its client, in milliseconds. */
const lastWord = 50;

/** Exchanges that are judged at a time: behind each may be a read of the store. */
const batch = 100;

/** Brings what is open under a new state. */
export interface AfterChange {
  /**
   * Everything that is open is judged by the new policy. At a server that is gone, or has another URL, streams end at
   * once, so that clients connect anew, and calls have {@link drainTime} to finish. Ways that are used no more close
   * behind their last request.
   */
  run(before: GatewayState, after: GatewayState): void;
  /** Breaks off what has not closed yet. */
  destroy(): void;
}

export function createAfterChange(deps: {
  readonly clock: Clock;
  readonly open: OpenExchanges<Exchange>;
}): AfterChange {
  const { clock, open } = deps;
  const draining = new Set<Upstream>();

  const judgeAll = async (exchanges: readonly Exchange[]): Promise<void> => {
    for (let at = 0; at < exchanges.length; at += batch) {
      await Promise.all(exchanges.slice(at, at + batch).map((exchange) => exchange.judge()));
      // Requests come in between.
      await turn();
    }
  };

  const breakOff = async (upstream: Upstream): Promise<void> => {
    const abort = (): void => {
      for (const exchange of open) if (exchange.upstream === upstream) exchange.abort(settingsChanged);
    };
    abort();
    await clock.sleep(lastWord);
    abort();
    upstream.destroy();
  };

  const drain = async (upstream: Upstream, inTime: boolean): Promise<void> => {
    draining.add(upstream);
    const left = upstream.close().then(() => true);
    if (inTime) {
      const over = new AbortController();
      const late = clock.sleep(drainTime, over.signal).then(() => false);
      const done = await Promise.race([left, late]);
      over.abort();
      if (!done) await breakOff(upstream);
    } else await left;
    draining.delete(upstream);
  };

  return {
    run(before, after) {
      const removed = new Set<Upstream>();
      const moved = new Set<Upstream>();
      for (const [name, { upstream, madeOf }] of before.upstreams) {
        const now = after.upstreams.get(name);
        if (now?.upstream === upstream) continue;
        if (now === undefined) removed.add(upstream);
        else if (now.madeOf.url !== madeOf.url) moved.add(upstream);
        void drain(upstream, removed.has(upstream) || moved.has(upstream));
      }
      const toJudge: Exchange[] = [];
      for (const exchange of open) {
        const isRemoved = removed.has(exchange.upstream);
        if (isRemoved || moved.has(exchange.upstream)) exchange.close(settingsChanged);
        // By the new policy nobody may use it; who has begun may finish.
        if (isRemoved) exchange.exempt();
        else toJudge.push(exchange);
      }
      void judgeAll(toJudge);
    },
    destroy() {
      for (const upstream of draining) upstream.destroy();
    },
  };
}
