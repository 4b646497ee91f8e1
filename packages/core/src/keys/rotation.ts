import type { KeyringRecord, StoredKey } from "../records/index.ts";
import type { RotationPolicy } from "./rotation-policy.ts";
import type { FreshKey } from "./signing-key.ts";

/** Makes a key. Called only where one is needed. */
export type MakeKey = (now: number) => FreshKey;

/** When the state of a key began, ms. */
export const sinceOf = (key: StoredKey): number => key.since ?? key.createdAt;

/**
 * The keys by state.
 * @throws Error where no key is active: such a keyring cannot be used, and no other is made in its place
 */
export function keysByState({ keys }: KeyringRecord) {
  const active = keys.find((key) => key.state === "active");
  if (!active) throw new Error("the stored keyring has no active key");
  const next = keys.find((key) => key.state === "next");
  return { active, next, retired: keys.filter((key) => key.state === "retired") };
}

/** When a next key is to be published, ms. */
export const publishesAt = (active: StoredKey, policy: RotationPolicy): number =>
  sinceOf(active) + policy.rotateEvery - policy.publishBefore;

/** When a published key takes over, ms: never before everybody has had the time to learn of it. */
export const signsFrom = (next: StoredKey, active: StoredKey, policy: RotationPolicy): number =>
  Math.max(sinceOf(next) + policy.publishBefore, next.requested ? 0 : sinceOf(active) + policy.rotateEvery);

/** When a retired key goes, ms. */
export const goesAt = (retired: StoredKey, policy: RotationPolicy): number => sinceOf(retired) + policy.retiredFor;

/**
 * What the keyring should be by now: a next key published in time, one that was published for long enough signing, a
 * retired one gone when nothing that it signed counts any more. One step at a time, so that after long idleness too no
 * key signs that nobody could have seen.
 * @param now ms
 * @returns undefined where nothing is to be done
 */
export function planRotation(
  record: KeyringRecord,
  now: number,
  policy: RotationPolicy,
  makeKey: MakeKey,
): KeyringRecord | undefined {
  const { active, next, retired } = keysByState(record);
  const kept = retired.filter((key) => now < goesAt(key, policy));
  const stay = next ? [active, next] : [active];
  if (next && now >= signsFrom(next, active, policy)) return { keys: [...takeOver(next, active, now), ...kept] };
  if (!next && now >= publishesAt(active, policy)) return { keys: [active, published(makeKey, now), ...kept] };
  return kept.length < retired.length ? { keys: [...stay, ...kept] } : undefined;
}

/**
 * The orderly change on somebody's word: a next key is published now if there is none, and takes over as soon as it has
 * been published for long enough.
 * @returns undefined where that is under way already
 */
export function requestRotation(record: KeyringRecord, now: number, makeKey: MakeKey): KeyringRecord | undefined {
  const { active, next, retired } = keysByState(record);
  if (next?.requested) return undefined;
  return { keys: [active, { ...(next ?? published(makeKey, now)), requested: true }, ...retired] };
}

/**
 * The change at once. Whoever has got hold of a key may have got hold of all, so that a fresh one signs and every other
 * is dropped: what they signed stops. With `keep` nothing stops: the next key, if there is one, takes over early, and the
 * old one retires.
 */
export function rotateAtOnce(record: KeyringRecord, now: number, keep: boolean, makeKey: MakeKey): KeyringRecord {
  if (!keep) return { keys: [{ ...makeKey(now), state: "active", since: now }] };
  const { active, next, retired } = keysByState(record);
  return { keys: [...takeOver(next ?? published(makeKey, now), active, now), ...retired] };
}

const published = (makeKey: MakeKey, now: number): StoredKey => ({ ...makeKey(now), state: "next", since: now });

function takeOver(next: StoredKey, active: StoredKey, now: number): StoredKey[] {
  const { requested: _, ...key } = next;
  return [
    { ...key, state: "active", since: now },
    { ...active, state: "retired", since: now },
  ];
}
