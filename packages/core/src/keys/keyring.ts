import type { KeyObject } from "node:crypto";
import type { AuditSink } from "../audit/index.ts";
import type { RootKeys } from "../crypto/index.ts";
import type { KeyringRecord, Stored } from "../records/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { reportRotation } from "./report-rotation.ts";
import { keysByState, type MakeKey, planRotation } from "./rotation.ts";
import { longestStale, type RotationPolicy } from "./rotation-policy.ts";
import { type KeyUse, type SharedKeyring, sharedKeyring } from "./shared-keyring.ts";
import { keyMaker, type PublicJwk, publicJwkOf, publicKeyOf, type SigningKey, signingKeyOf } from "./signing-key.ts";

/** The signing keys of this deployment: one signs, all verify. */
export interface Keyring {
  /** The key that signs. */
  active(): SigningKey;
  /** The public key named by a token's `kid`, if it is ours. */
  find(kid: string): KeyObject | undefined;
  /** The key set to publish: active, next and retired. */
  jwks(): { readonly keys: readonly PublicJwk[] };
  /** Changes whenever a key that verified does so no more. One that is added makes nothing untrue that was checked. */
  readonly generation: number;
  /**
   * Makes sure that what is known is not older than the check interval. Ask before a key signs, verifies or is published.
   * A read begins in the background at half the interval, so that in use there is nothing to wait for.
   * @returns undefined where nothing has to be waited for; rejects where the keyring could not be read for 5 min
   */
  current(): Promise<void> | undefined;
  /** Reads the shared keyring again for a key that is not known, at most once per 3 s, however many ask. */
  refresh(): Promise<void>;
  /** Reads the shared keyring and changes nothing. Rejects where it cannot be read, or not be used. */
  probe(): Promise<void>;
  /** Resolves when no read or change is under way. Never rejects. */
  settled(): Promise<void>;
}

export interface KeyringDeps {
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What its keys sign. Default: access tokens. */
  readonly use?: KeyUse;
  /** How old the keys may be by which something is decided, ms. */
  readonly checkInterval: number;
  /** Keeps the shared keyring to a schedule. Without it, it is only read. */
  readonly rotation?: { readonly policy: RotationPolicy; readonly audit: AuditSink };
}

/** At most one further read in so many ms, whoever sends tokens of unknown keys. */
const refreshCooldown = 3_000;

/**
 * Loads the shared keyring, or makes it where there is none; of several replicas that start at once one makes it and the
 * others adopt it. Rejects, and never mints another, where there is one that cannot be read.
 *
 * The schedule is looked at with every read, so that only use moves it: no timer does. What is due is written in the
 * background, one change at a time; where the store fails it is due again with the next read.
 */
export async function openKeyring(deps: KeyringDeps): Promise<Keyring> {
  const { clock, logger, rotation, checkInterval } = deps;
  const { use: keyUse = "access_token" } = deps;
  const shared = sharedKeyring({ ...deps, use: keyUse });
  const makeKey = keyMaker(keyUse);
  const openedAt = clock.monotonic();
  const first = await readOrMake(shared, clock, makeKey);
  let loaded = use(first.value);
  let readAt = openedAt;
  let generation = 1;
  /** Own writes: what was read before one must not undo it. */
  let writes = 0;
  // Until the record was once seen under this process's own root key: during a change of secrets two replicas with
  // different ones would else seal it back and forth.
  let sealed = false;
  let reading: Promise<void> | undefined;
  let changing: Promise<void> | undefined;

  const adopt = (record: KeyringRecord, at: number): void => {
    const now = use(record);
    // Only a read that succeeded counts: until then an unknown key may still be a good one.
    readAt = at;
    if (now.names === loaded.names) return;
    if ([...loaded.publicKeys.keys()].some((kid) => !now.publicKeys.has(kid))) generation += 1;
    loaded = now;
  };

  const change = async (stored: Stored<KeyringRecord>, record: KeyringRecord, audit: AuditSink): Promise<void> => {
    const at = clock.monotonic();
    // Another replica was first: its change counts.
    if (!(await shared.change(stored.version, record))) return reread();
    writes += 1;
    adopt(record, at);
    reportRotation({ audit, logger, clock }, stored.value, record);
  };

  const maintain = (stored: Stored<KeyringRecord>): void => {
    if (!rotation || changing) return;
    sealed ||= stored.sealedUnder === deps.keys.dataKeys.activeKid;
    const planned = planRotation(stored.value, clock.now(), rotation.policy, makeKey);
    if (!planned && sealed) return;
    changing = change(stored, planned ?? stored.value, rotation.audit)
      .catch((error: unknown) => {
        logger.warn("the signing keys could not be maintained; tried again later", { error: messageOf(error) });
      })
      .finally(() => {
        changing = undefined;
      });
  };

  const read = async (): Promise<void> => {
    const at = clock.monotonic();
    const before = writes;
    const stored = await readOrMake(shared, clock, makeKey);
    if (before !== writes) return;
    adopt(stored.value, at);
    maintain(stored);
  };

  const reread = (): Promise<void> => {
    reading ??= read()
      .catch((error: unknown) => {
        logger.warn("the signing keys could not be read again", { error: messageOf(error) });
        throw error;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };

  maintain(first);

  return {
    active: () => loaded.active,
    find: (kid) => loaded.publicKeys.get(kid),
    jwks: () => loaded.jwks,
    get generation() {
      return generation;
    },
    current() {
      const age = clock.monotonic() - readAt;
      if (age < checkInterval / 2) return undefined;
      const done = reread();
      if (age < checkInterval) {
        // It has logged its failure, and whoever comes after the interval waits for one that succeeds.
        done.catch(() => {});
        return undefined;
      }
      return done.catch((error: unknown) => {
        // For a while the last keys will do: what else decides reads the same store, and a key retires with more delay.
        if (clock.monotonic() - readAt >= longestStale) throw error;
      });
    },
    refresh() {
      if (reading) return reading;
      return clock.monotonic() - readAt < refreshCooldown ? Promise.resolve() : reread();
    },
    async probe() {
      const stored = await shared.read();
      if (stored) keysByState(stored.value);
    },
    async settled() {
      while (reading || changing) await Promise.allSettled([reading, changing]);
    },
  };
}

async function readOrMake(shared: SharedKeyring, clock: Clock, makeKey: MakeKey): Promise<Stored<KeyringRecord>> {
  const stored = await shared.read();
  if (stored) return stored;
  const now = clock.now();
  await shared.make({ keys: [{ ...makeKey(now), state: "active", since: now }] });
  const made = await shared.read();
  if (!made) throw new Error("the keyring was made and is gone again");
  return made;
}

function use(record: KeyringRecord) {
  const { active } = keysByState(record);
  return {
    active: signingKeyOf(active),
    publicKeys: new Map(record.keys.map((key) => [key.kid, publicKeyOf(key)])),
    jwks: { keys: record.keys.map(publicJwkOf) },
    names: record.keys.map((key) => `${key.kid}:${key.state}`).join(" "),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : "unknown");
