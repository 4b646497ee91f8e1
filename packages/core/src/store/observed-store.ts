import type { CallObserver, Clock, StoreOperation } from "../runtime/index.ts";
import { type Store, StoreUnavailable } from "./store.ts";

/** The same store, every operation of which is told to an observer. */
export function observedStore(store: Store, observer: CallObserver, clock: Pick<Clock, "monotonic">): Store {
  const timed =
    <Arguments extends readonly unknown[], T>(operation: StoreOperation, call: (...given: Arguments) => Promise<T>) =>
    async (...given: Arguments): Promise<T> => {
      const startedAt = clock.monotonic();
      try {
        const answer = await call(...given);
        observer.store(operation, clock.monotonic() - startedAt, "ok");
        return answer;
      } catch (error) {
        const outcome = error instanceof StoreUnavailable ? "unavailable" : "error";
        observer.store(operation, clock.monotonic() - startedAt, outcome);
        throw error;
      }
    };
  const observed: Store = {
    get: timed("get", (key) => store.get(key)),
    put: timed("put", (key, value, options) => store.put(key, value, options)),
    take: timed("take", (key) => store.take(key)),
    swap: timed("swap", (key, version, value, options) => store.swap(key, version, value, options)),
    delete: timed("delete", (key) => store.delete(key)),
    count: timed("count", (key, by, options) => store.count(key, by, options)),
    list: timed("list", (index, value, cursor) => store.list(index, value, cursor)),
    scan: timed("scan", (cursor) => store.scan(cursor)),
    close: () => store.close(),
  };
  return store.problems === undefined
    ? observed
    : { ...observed, problems: async () => (await store.problems?.()) ?? [] };
}
