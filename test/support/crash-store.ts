import type { Store } from "sallyport";

/** A moment of a process's work with its store: right before or right after the n-th operation (from 1). */
export interface CrashPoint {
  readonly operation: number;
  readonly when: "before" | "after";
}

/** A store that notes what is asked of it and may end its process in the middle. */
export interface CrashStore extends Store {
  /** Notes anew from here on; at the point, if there is one, the process is killed. */
  watch(point?: CrashPoint): void;
  /** What was asked since: the operation and the kind of record, such as `swap grant`. Shared reads are left out. */
  noted(): readonly string[];
}

/** Reads that are shared between requests, or begin by a clock of their own: one run has them and the next has not. */
const isSharedRead = (name: string): boolean => name === "get keyring" || name === "get epoch";

/** The end without a chance to finish anything. */
const die = (): Promise<never> => {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
};

/** @param at a point that counts from the start */
export function crashStore(inner: Store, at?: CrashPoint): CrashStore {
  let point = at;
  let names: string[] = [];
  const run = async <R>(operation: string, key: string, work: () => Promise<R>): Promise<R> => {
    const name = `${operation} ${key.split(":", 1)[0]}`;
    if (isSharedRead(name)) return work();
    names.push(name);
    const isHere = names.length === point?.operation;
    if (isHere && point?.when === "before") await die();
    const result = await work();
    if (isHere) await die();
    return result;
  };
  return {
    ...inner,
    get: (key) => run("get", key, () => inner.get(key)),
    put: (key, value, options) => run("put", key, () => inner.put(key, value, options)),
    take: (key) => run("take", key, () => inner.take(key)),
    swap: (key, version, value, options) => run("swap", key, () => inner.swap(key, version, value, options)),
    delete: (key) => run("delete", key, () => inner.delete(key)),
    count: (key, by, options) => run("count", key, () => inner.count(key, by, options)),
    watch(next) {
      point = next;
      names = [];
    },
    noted: () => names,
  };
}
