import type { Clock } from "../../runtime/index.ts";

/** A document of the provider's, kept in memory. */
export interface RemoteDocument<T> {
  /** The document: fetched at first need and when it is too old. */
  get(): Promise<T>;
  /** The document, fetched anew because something in it seems to be missing; once per `reloadCooldownMs` at most. */
  reload(): Promise<T>;
}

/** Milliseconds. */
export interface RemoteDocumentTimes {
  /** For so long it is used without asking. */
  readonly maxAgeMs: number;
  /** For so long it is used when it cannot be fetched anew. */
  readonly maxStaleMs: number;
  /** After a failed fetch the next one waits so long; whoever asks meanwhile gets the same failure. */
  readonly failureCooldownMs: number;
  readonly reloadCooldownMs: number;
}

/** Keeps what `load` gives. Callers that come at the same time share one load. */
export function remoteDocument<T>(options: {
  readonly load: () => Promise<T>;
  readonly clock: Clock;
  readonly times: RemoteDocumentTimes;
  /** Called once for each failed load. */
  readonly onFailure: (error: unknown) => void;
}): RemoteDocument<T> {
  const { clock, times } = options;
  let held: { readonly value: T; readonly at: number } | undefined;
  let failed: { readonly error: unknown } | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<T> | undefined;

  const attempt = async (): Promise<T> => {
    triedAt = clock.monotonic();
    try {
      const value = await options.load();
      held = { value, at: clock.monotonic() };
      failed = undefined;
      return value;
    } catch (error) {
      triedAt = clock.monotonic();
      failed = { error };
      options.onFailure(error);
      throw error;
    } finally {
      pending = undefined;
    }
  };

  const load = (): Promise<T> => {
    pending ??= attempt();
    return pending;
  };

  return {
    get: async () => {
      if (held && clock.monotonic() - held.at < times.maxAgeMs) return held.value;
      try {
        if (!pending && failed && clock.monotonic() - triedAt < times.failureCooldownMs) throw failed.error;
        return await load();
      } catch (error) {
        if (held && clock.monotonic() - held.at < times.maxStaleMs) return held.value;
        throw error;
      }
    },
    reload: async () => {
      if (pending || clock.monotonic() - triedAt >= times.reloadCooldownMs) return await load();
      if (failed) throw failed.error;
      return held ? held.value : await load();
    },
  };
}
