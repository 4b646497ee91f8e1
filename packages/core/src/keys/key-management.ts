import type { AuditSink } from "../audit/index.ts";
import type { RootKeys } from "../crypto/index.ts";
import type { KeyringRecord, Stored, StoredKey } from "../records/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { reportRotation } from "./report-rotation.ts";
import { goesAt, keysByState, publishesAt, requestRotation, rotateAtOnce, signsFrom, sinceOf } from "./rotation.ts";
import type { RotationPolicy } from "./rotation-policy.ts";
import { type KeyUse, sharedKeyring } from "./shared-keyring.ts";
import { keyMaker } from "./signing-key.ts";

/** A signing key as an operator sees it. Times are milliseconds since the Unix epoch. */
export interface KeyStatus {
  readonly kid: string;
  readonly state: StoredKey["state"];
  /** When it came into this state. */
  readonly since: number;
  /** What happens to it next, and when; a deployment that nobody uses then does it at its next use. */
  readonly change: { readonly what: "successor_published" | "signs" | "retires" | "goes"; readonly at: number };
}

/** The keyring as an operator sees it. */
export interface KeyringStatus {
  readonly keys: readonly KeyStatus[];
  /** Id of the key-encryption key that it is sealed under: of a root secret, or `kms:…`. */
  readonly sealedUnder: string;
  /** Whether that is the one that seals what is written now. */
  readonly sealedByActive: boolean;
}

/** What came of a rotation. */
export interface Rotation {
  /** The key that takes over. */
  readonly kid: string;
  /** From when it signs, milliseconds since the Unix epoch. */
  readonly signsFrom: number;
  /** The key that signed when it was asked for. */
  readonly before: string;
  /** Ids of the keys that are gone, and with them what they signed. */
  readonly dropped: readonly string[];
}

/** How the change is made: in order; at once, every old key dropped; at once, the old key kept until its tokens are over. */
export type RotationMode = "orderly" | "at_once" | "at_once_keeping_old";

/** What an operator may do with the signing keys of a deployment, while it serves or not. */
export interface KeyManagement {
  /** Undefined where nothing was ever started with this store that needs such keys. Rejects where the keyring cannot be read. */
  status(): Promise<KeyringStatus | undefined>;
  /** Undefined as above. Replicas in use take the change over within their check interval. */
  rotate(mode: RotationMode): Promise<Rotation | undefined>;
}

/** @param deps.use which keyring. Default: that of access tokens */
export function keyManagement(deps: {
  readonly use?: KeyUse;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly policy: RotationPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
}): KeyManagement {
  const { policy, clock } = deps;
  const { use = "access_token" } = deps;
  const shared = sharedKeyring({ ...deps, use });
  const makeKey = keyMaker(use);

  const changed = (record: KeyringRecord, mode: RotationMode): KeyringRecord | undefined =>
    mode === "orderly"
      ? requestRotation(record, clock.now(), makeKey)
      : rotateAtOnce(record, clock.now(), mode === "at_once_keeping_old", makeKey);

  const outcome = (before: KeyringRecord, after: KeyringRecord): Rotation => {
    const { active, next } = keysByState(after);
    const left = new Set(after.keys.map(({ kid }) => kid));
    return {
      kid: next?.kid ?? active.kid,
      signsFrom: next ? signsFrom(next, active, policy) : sinceOf(active),
      before: keysByState(before).active.kid,
      dropped: before.keys.flatMap(({ kid }) => (left.has(kid) ? [] : [kid])),
    };
  };

  const attempt = async (stored: Stored<KeyringRecord>, mode: RotationMode): Promise<Rotation | undefined> => {
    const after = changed(stored.value, mode);
    if (after === undefined) return outcome(stored.value, stored.value);
    if (!(await shared.change(stored.version, after))) return undefined;
    reportRotation(deps, stored.value, after);
    return outcome(stored.value, after);
  };

  return {
    async status() {
      const stored = await shared.read();
      if (!stored) return undefined;
      return {
        keys: stored.value.keys.map((key) => statusOf(key, stored.value, policy)),
        sealedUnder: stored.sealedUnder,
        sealedByActive: stored.sealedUnder === deps.keys.dataKeys.activeKid,
      };
    },
    async rotate(mode) {
      // A replica that changes the keyring at the same moment does so once in a long while.
      for (;;) {
        const stored = await shared.read();
        if (!stored) return undefined;
        const done = await attempt(stored, mode);
        if (done) return done;
      }
    },
  };
}

function statusOf(key: StoredKey, record: KeyringRecord, policy: RotationPolicy): KeyStatus {
  const { active, next } = keysByState(record);
  const change = (): KeyStatus["change"] => {
    if (key.state === "retired") return { what: "goes", at: goesAt(key, policy) };
    if (!next) return { what: "successor_published", at: publishesAt(active, policy) };
    return { what: key.state === "next" ? "signs" : "retires", at: signsFrom(next, active, policy) };
  };
  return { kid: key.kid, state: key.state, since: sinceOf(key), change: change() };
}
