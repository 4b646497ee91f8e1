import {
  type Clock,
  createLogger,
  type Logger,
  openKeys,
  openStore,
  type Random,
  type RootKeys,
  type Store,
  systemClock,
  systemRandom,
} from "sallyport";
import type { GatewaySettings } from "../config/load-gateway-config.ts";
import { writeError } from "../process/output.ts";
import { readSettings } from "./read-settings.ts";
import { requireSharedStore } from "./require-shared-store.ts";

/** The store of a deployment and what opens its records, while a command works on them. */
export interface OpenedStore {
  readonly config: GatewaySettings;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Opens the store of a deployment, lets `work` have it, and closes it.
 * @param options.memory what to say of a server that keeps everything in its own memory
 * @throws CommandFailure for settings that cannot be used, and for a store that no server shares with this command
 */
export async function withStore<T>(
  options: { readonly config?: string | undefined; readonly memory: string },
  work: (opened: OpenedStore) => Promise<T>,
): Promise<T> {
  const config = await readSettings({ config: options.config, sealed: true });
  requireSharedStore(config.store, options.memory);
  const logger = createLogger({ level: "warn", format: config.logFormat, write: writeError });
  const [clock, random] = [systemClock, systemRandom];
  const keys = await openKeys(config, { clock });
  const store = await openStore(config.store, { clock, random, logger });
  try {
    return await work({ config, store, keys, clock, random, logger });
  } finally {
    await store.close();
  }
}
