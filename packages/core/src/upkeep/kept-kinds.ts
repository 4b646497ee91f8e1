import type { RootKeys } from "../crypto/index.ts";
import { grantIndex } from "../grants/index.ts";
import {
  assertionIdKind,
  clientDocumentKind,
  clientKind,
  consentMarkKind,
  epochId,
  epochKind,
  grantKind,
  keyringKind,
  type RecordKind,
  recordCodec,
  registrationSlotKind,
  rememberedConsentsId,
  rememberedConsentsKind,
  transactionKind,
} from "../records/index.ts";
import type { Random } from "../runtime/index.ts";
import type { IndexHints } from "../store/store.ts";
import { epochFaults, grantFaults, keyringFaults, type StoredTimes, transactionFaults } from "./invariants.ts";

/** A refresh token in use: the root secret (by id) that tagged it, and when it ends at the latest, ms. */
export interface TaggedToken {
  readonly kid: string;
  readonly until: number;
}

/** Where a record belongs under the active root secret, for kinds whose ids are hashed under one. */
export interface OtherPlace {
  readonly key: string;
  /** Whether the record stays where it is as well, for those that know the old root secret only. */
  readonly stays: boolean;
  /** Whether this record takes the place of the one that stands there already. Rejects with UnreadableRecord. */
  outranks(text: string): Promise<boolean>;
}

/** A stored record as upkeep sees it, whatever its kind. */
export interface OpenedRecord {
  /** What must not be, in words for an operator; nothing of the record's values. */
  readonly faults: readonly string[];
  /** Id of the key-encryption key it is sealed under. */
  readonly sealedUnder: string;
  readonly refreshToken: TaggedToken | undefined;
  /** Undefined where it is where it belongs. */
  readonly otherPlace: OtherPlace | undefined;
  /** Its hints under the active root secret. */
  readonly index: IndexHints;
  /** The same record under the active key-encryption key, to stand at `key`. */
  sealedFor(key: string): Promise<string>;
}

/** Opens the records of one kind. Rejects with UnreadableRecord. */
export type OpenRecord = (key: string, text: string, times: StoredTimes) => Promise<OpenedRecord>;

/** What there is to know of a kind beside how it is stored. */
interface Special<T> {
  readonly faults?: (value: T, times: StoredTimes) => readonly string[];
  readonly refreshToken?: (value: T, now: number) => TaggedToken | undefined;
  readonly index?: (value: T) => IndexHints;
  /** For kinds whose ids are hashed under a root secret. */
  readonly named?: {
    /** The id under the active one. */
    readonly id: (value: T) => string;
    readonly stays: boolean;
    readonly outranks: (value: T, held: T) => boolean;
  };
}

/** Every kind of record that is kept, by the word before the colon of its keys. */
export function keptKinds(deps: { readonly keys: RootKeys; readonly random: Random }): ReadonlyMap<string, OpenRecord> {
  const { active } = deps.keys;
  const kinds = new Map<string, OpenRecord>();
  const add = <T extends object>(kind: RecordKind<T>, special: Special<T> = {}): void => {
    const codec = recordCodec(kind, deps);
    const otherPlace = (key: string, value: T): OtherPlace | undefined => {
      const { named } = special;
      const place = named && codec.keyOf(named.id(value));
      if (!named || place === undefined || place === key) return undefined;
      const outranks = async (text: string) => named.outranks(value, (await codec.decode(place, text)).value);
      return { key: place, stays: named.stays, outranks };
    };
    kinds.set(kind.kind, async (key, text, times) => {
      const { value, sealedUnder } = await codec.decode(key, text);
      return {
        faults: special.faults?.(value, times) ?? [],
        sealedUnder,
        refreshToken: special.refreshToken?.(value, times.now),
        otherPlace: otherPlace(key, value),
        index: special.index?.(value) ?? {},
        sealedFor: (place) => codec.encode(place, value),
      };
    });
  };

  add(grantKind, {
    faults: grantFaults,
    index: (grant) => grantIndex(deps, grant),
    refreshToken: ({ refresh, absoluteUntil }, now) => {
      if (!refresh) return undefined;
      const until = Math.min(refresh.idleUntil, absoluteUntil);
      return until > now ? { kid: refresh.kid, until } : undefined;
    },
  });
  add(epochKind, {
    faults: epochFaults,
    named: {
      id: ({ name }) => epochId(active, name),
      stays: true,
      outranks: (switched, held) => switched.instant > held.instant,
    },
  });
  add(rememberedConsentsKind, {
    named: { id: ({ user }) => rememberedConsentsId(active, user), stays: false, outranks: () => false },
  });
  add(keyringKind, { faults: keyringFaults });
  add(transactionKind, { faults: transactionFaults });
  add(consentMarkKind);
  add(clientKind);
  add(registrationSlotKind);
  add(clientDocumentKind);
  add(assertionIdKind);
  return kinds;
}
