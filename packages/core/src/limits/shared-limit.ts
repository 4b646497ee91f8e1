import type { SharedCounts } from "./shared-counts.ts";
import type { Allowance } from "./token-bucket.ts";

/** Counts requests of those who are identified, over all replicas; see {@link SharedCounts}. */
export interface SharedLimit {
  take(id: string): Allowance | Promise<Allowance>;
}

/** @param label what is counted */
export const sharedLimit = (counts: SharedCounts, label: string, perMinute: number): SharedLimit => {
  const rule = { label, limit: perMinute, window: 60_000 };
  return { take: (id) => counts.take(rule, id) };
};
