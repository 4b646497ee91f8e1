import type { PoolSettings } from "../config/pool-config.ts";
import type { Clock, Logger, Random } from "../runtime.ts";
import { type Client, createClientDirectory } from "./client-directory.ts";
import { createScopeCatalog, type ScopeCatalog } from "./scope-catalog.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createSignIns, type SignIns } from "./sign-ins.ts";
import { createSigningKeys, type SigningKeys } from "./signing-keys.ts";
import { createUserDirectory, type UserDirectory } from "./user-directory.ts";

/** Where the emulator answers; known once it listens. */
export interface Addresses {
  /** Origin of the domain endpoints, without a slash at the end. */
  readonly url: string;
  readonly issuer: string;
  readonly jwksUri: string;
}

/** Everything an endpoint works with. Endpoints keep no state of their own. */
export interface Emulation {
  readonly settings: PoolSettings;
  readonly addresses: Addresses;
  readonly clients: ReadonlyMap<string, Client>;
  readonly users: UserDirectory;
  readonly scopes: ScopeCatalog;
  readonly sessions: Sessions;
  readonly signIns: SignIns;
  readonly keys: SigningKeys;
  /** Signs what the sign-in form carries. */
  readonly formKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Fills a new pool from its settings. All of its state is in memory. */
export function createEmulation(
  settings: PoolSettings,
  addresses: Addresses,
  runtime: { clock: Clock; random: Random; logger: Logger },
): Emulation {
  const { clock, random } = runtime;
  return {
    settings,
    addresses,
    clients: createClientDirectory(settings),
    users: createUserDirectory(settings, random),
    scopes: createScopeCatalog(settings),
    sessions: createSessions(clock, random),
    signIns: createSignIns(clock, random),
    keys: createSigningKeys(random),
    formKey: random.bytes(32),
    ...runtime,
  };
}
