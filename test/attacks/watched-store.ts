import { setTimeout as after } from "node:timers/promises";
import { type Store, StoreUnavailable } from "sallyport";

export type StoreOperation = Exclude<keyof Store, "close" | "scan" | "problems">;

/** A store that is watched, slowed down and broken from outside. */
export interface WatchedStore extends Store {
  /** Every operation asked of it, oldest first. The kind of record stands before the colon of the key. */
  readonly calls: readonly { readonly operation: StoreOperation; readonly key: string }[];
  /** Whether an operation is refused before it has its effect, or after it, when only the answer is lost. */
  fault: ((operation: StoreOperation, key: string) => "before" | "after" | undefined) | undefined;
  /** Milliseconds that every operation takes at least. */
  latency: number;
  /** What an operation waits for before it has its effect. */
  pause: ((operation: StoreOperation, key: string) => Promise<void> | undefined) | undefined;
}

/** A place where everybody waits until `count` have come; whoever comes later passes. */
function meeting(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  return () => {
    arrived += 1;
    if (arrived >= count) resolve();
    return promise;
  };
}

/**
 * The first `count` writes of a kind of record take place only when all of them are about to: each has read what stood
 * before.
 */
export function meetBeforeWriting(kind: string, count: number): NonNullable<WatchedStore["pause"]> {
  const arrive = meeting(count);
  return (operation, key) =>
    key.startsWith(`${kind}:`) && (operation === "swap" || operation === "put") ? arrive() : undefined;
}

export function watchStore(inner: Store): WatchedStore {
  const calls: { operation: StoreOperation; key: string }[] = [];
  const run = async <R>(operation: StoreOperation, key: string, work: () => Promise<R>): Promise<R> => {
    calls.push({ operation, key });
    const fault = watched.fault?.(operation, key);
    if (watched.latency > 0) await after(watched.latency);
    await watched.pause?.(operation, key);
    if (fault === "before") throw new StoreUnavailable("ECONNREFUSED store.internal:6379, user sallyport");
    const result = await work();
    if (fault === "after") throw new StoreUnavailable("ETIMEDOUT store.internal:6379, user sallyport");
    return result;
  };
  const watched: WatchedStore = {
    calls,
    fault: undefined,
    latency: 0,
    pause: undefined,
    get: (key) => run("get", key, () => inner.get(key)),
    put: (key, value, options) => run("put", key, () => inner.put(key, value, options)),
    take: (key) => run("take", key, () => inner.take(key)),
    swap: (key, version, value, options) => run("swap", key, () => inner.swap(key, version, value, options)),
    delete: (key) => run("delete", key, () => inner.delete(key)),
    count: (key, by, options) => run("count", key, () => inner.count(key, by, options)),
    list: (index, value, cursor) => run("list", index, () => inner.list(index, value, cursor)),
    scan: (cursor) => inner.scan(cursor),
    close: () => inner.close(),
  };
  return watched;
}
