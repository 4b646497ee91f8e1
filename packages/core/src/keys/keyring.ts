import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { RootKeys } from "../crypto/index.ts";
import { labelledHash } from "../crypto/index.ts";
import { type KeyringRecord, keyringKind, type RecordStore, recordStore } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";

/** A signing key as it is used. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A public key as published (RFC 7517 §4). */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** The signing keys of this deployment: one signs, all verify. */
export interface Keyring {
  /** The key that signs. */
  active(): SigningKey;
  /** The public key named by a token's `kid`, if it is ours. */
  find(kid: string): KeyObject | undefined;
  /** The key set to publish: next, active and retired. */
  jwks(): { readonly keys: readonly PublicJwk[] };
  /** Changes whenever the set of keys changes. */
  readonly generation: number;
  /** Reads the shared keyring again, at most once per 30 s, however many ask. */
  refresh(): Promise<void>;
}

const keyringId = "main";
const tenYears = 10 * 365 * 86_400_000;
const refreshCooldown = 30_000;

/**
 * Loads the shared keyring, or makes it where there is none; of several replicas that start at once one makes it and the
 * others adopt it. Rejects, and never mints another, where there is one that cannot be read.
 */
export async function openKeyring(deps: {
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<Keyring> {
  const records = recordStore(keyringKind, deps);
  let loaded = use(await load(records, deps.clock));
  let generation = 1;
  let readAt = deps.clock.monotonic();
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const now = use(await load(records, deps.clock));
    // Only a read that succeeded starts the cooldown: until then an unknown key may still be a good one.
    readAt = deps.clock.monotonic();
    if (now.names === loaded.names) return;
    loaded = now;
    generation += 1;
  };

  return {
    active: () => loaded.active,
    find: (kid) => loaded.publicKeys.get(kid),
    jwks: () => loaded.jwks,
    get generation() {
      return generation;
    },
    refresh() {
      if (reading) return reading;
      if (deps.clock.monotonic() - readAt < refreshCooldown) return Promise.resolve();
      reading = read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
  };
}

async function load(records: RecordStore<KeyringRecord>, clock: Clock): Promise<KeyringRecord> {
  const stored = await records.get(keyringId);
  if (stored) return stored.value;
  const mine: KeyringRecord = { keys: [newKey("active", clock)] };
  if (await records.put(keyringId, mine, { ttl: tenYears, ifAbsent: true })) return mine;
  const theirs = await records.get(keyringId);
  if (!theirs) throw new Error("the keyring was made by another process and is gone again");
  return theirs.value;
}

type StoredKey = KeyringRecord["keys"][number];

function newKey(state: StoredKey["state"], clock: Clock): StoredKey {
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  const { x, y, d } = jwk;
  if (!x || !y || !d) throw new Error("an EC key without coordinates was made");
  // A hash of the public coordinates, in the spirit of RFC 7638: the name says nothing but which key it is.
  const kid = labelledHash("kid", JSON.stringify({ crv: "P-256", kty: "EC", x, y })).slice(0, 16);
  return { kid, state, createdAt: clock.now(), privateJwk: { kty: "EC", crv: "P-256", x, y, d } };
}

function use(record: KeyringRecord) {
  const active = record.keys.find((key) => key.state === "active");
  if (!active) throw new Error("the stored keyring has no active key");
  const privateKey = createPrivateKey({ key: active.privateJwk, format: "jwk" });
  const publicKeys = new Map(
    record.keys.map(({ kid, privateJwk: { kty, crv, x, y } }) => [
      kid,
      createPublicKey({ key: { kty, crv, x, y }, format: "jwk" }),
    ]),
  );
  const jwks = {
    keys: record.keys.map(
      ({ kid, privateJwk: { kty, crv, x, y } }): PublicJwk => ({ kty, crv, x, y, kid, alg: "ES256", use: "sig" }),
    ),
  };
  const names = record.keys.map((key) => `${key.kid}:${key.state}`).join(" ");
  return { active: { kid: active.kid, privateKey, publicKey: createPublicKey(privateKey) }, publicKeys, jwks, names };
}
