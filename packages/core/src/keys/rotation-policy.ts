import type { CoreConfig } from "../config/section.ts";
import { streamOverrun } from "./access-token.ts";

/** How long a key stays in each state, ms. */
export interface RotationPolicy {
  /** For so long a key signs. */
  readonly rotateEvery: number;
  /** For so long the next one is published before it signs. */
  readonly publishBefore: number;
  /** For so long a retired one still verifies. */
  readonly retiredFor: number;
}

/** The clocks of two replicas may differ by this much, ms. */
const clockSkew = 300_000;

/** The longest that a replica uses keys that it cannot read again, ms. */
export const longestStale = 300_000;

/** The longest that a replica in use goes without reading the keyring, ms. */
const longestInterval = 30_000;

/** The longest that documents may be cached, ms. */
const longestCached = 300_000;

type Settings = Pick<CoreConfig, "keys" | "tokens" | "resources">;

/**
 * The policy that the settings make. A retired key is kept until the last token that it may have signed is over, and the
 * streams that were opened with it: signed at the latest by a replica that did not yet know, by a clock that is ahead,
 * and verified by one that is behind.
 */
export function rotationPolicy({ keys, tokens, resources }: Settings): RotationPolicy {
  const longestToken = Math.max(tokens.accessTtl, ...resources.map(({ accessTtl }) => accessTtl ?? 0));
  return {
    rotateEvery: keys.rotateEvery,
    publishBefore: keys.publishBefore,
    retiredFor: longestToken + streamOverrun + longestStale + 2 * clockSkew,
  };
}

/**
 * How old the keys may be by which a replica decides, ms: as a grant's judgement, so that a dropped key opens nothing
 * for longer than a revoked grant does; and at most 30 s, which is far below any `keys.publish_before`.
 */
export const keyringInterval = ({ tokens }: Pick<CoreConfig, "tokens">): number =>
  Math.min(tokens.grantCheckInterval, longestInterval);

/**
 * For how long the key set may be cached, ms: a copy made just before a key was published, from a replica that had not
 * read it yet, must be over when the key signs, by whichever clock.
 */
export const keySetAge = (config: Pick<CoreConfig, "keys" | "tokens">): number =>
  Math.min(longestCached, config.keys.publishBefore - clockSkew - keyringInterval(config));
