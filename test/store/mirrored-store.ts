import type { Entry, Store } from "sallyport";

/** One store before others that are to hold the same, each by its own means. */
export interface MirroredStore extends Store {
  /** Everything that was ever handed over: keys, values and hints. */
  readonly written: readonly string[];
  /** What every operation throws, while it is set. */
  failure: Error | undefined;
}

/** Does everything to `first`, whose answers count, and then to the others. */
export function mirrorStore(first: Store, others: readonly Store[]): MirroredStore {
  const written: string[] = [];
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    if (mirrored.failure) throw mirrored.failure;
    return work();
  };
  /** After `first` has done it: each of the others, in order. */
  const follow = async (work: (other: Store) => Promise<unknown>): Promise<void> => {
    for (const other of others) await work(other);
  };
  const mirrored: MirroredStore = {
    written,
    failure: undefined,
    get: (key) => run(() => first.get(key)),
    list: (index, value, cursor) => run(() => first.list(index, value, cursor)),
    scan: (cursor) => first.scan(cursor),
    put: (key, value, options) =>
      run(async () => {
        written.push(key, value, JSON.stringify(options));
        const wrote = await first.put(key, value, options);
        if (wrote) await follow((other) => other.put(key, value, { ...options, ifAbsent: false }));
        return wrote;
      }),
    swap: (key, version, value, options) =>
      run(async () => {
        written.push(key, value, JSON.stringify(options));
        if (!(await first.swap(key, version, value, options))) return false;
        await follow(async (other) => {
          const held: Entry | undefined = await other.get(key);
          await other.swap(key, held?.version ?? "", value, options);
        });
        return true;
      }),
    take: (key) =>
      run(async () => {
        const taken = await first.take(key);
        await follow((other) => other.take(key));
        return taken;
      }),
    delete: (key) =>
      run(async () => {
        await first.delete(key);
        await follow((other) => other.delete(key));
      }),
    count: (key, by, options) =>
      run(async () => {
        written.push(key);
        const counted = await first.count(key, by, options);
        if (counted.allowed && by > 0) await follow((other) => other.count(key, by, { ttl: options.ttl }));
        return counted;
      }),
    async close() {
      await first.close();
      await follow((other) => other.close());
    },
  };
  return mirrored;
}
