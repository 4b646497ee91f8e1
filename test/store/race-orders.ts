import { z } from "zod";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore, type Store } from "../../packages/core/src/store/index.ts";

const orderSchema = z.strictObject({
  /** When to begin, milliseconds since the Unix epoch. */
  at: z.number(),
  /** Who contends; becomes the value that is written. */
  name: z.string(),
  job: z.enum(["take", "putIfAbsent", "swapOnce", "increment", "count", "open"]),
  /** The keys to contend for; for `open`, store URLs. */
  keys: z.array(z.string()),
  versions: z.array(z.string()),
  limit: z.number().optional(),
});

/** What one contender does: its job once for each key, in order. */
export type Order = z.infer<typeof orderSchema>;

export const parseOrder = (line: string): Order => orderSchema.parse(JSON.parse(line));

/** Which of the keys this contender won, one answer a key. */
export const parseAnswer = (line: string): boolean[] => z.array(z.boolean()).parse(JSON.parse(line));

const ttl = 600_000;

/** Does the job and answers for each key whether this contender won it. */
export async function perform(store: Store, { job, keys, versions, name, limit }: Order): Promise<boolean[]> {
  const won: boolean[] = [];
  for (const [n, key] of keys.entries()) {
    switch (job) {
      case "take":
        won.push((await store.take(key)) !== undefined);
        break;
      case "putIfAbsent":
        won.push(await store.put(key, name, { ttl, ifAbsent: true, index: { user: name } }));
        break;
      case "swapOnce":
        won.push(await store.swap(key, versions[n] ?? "", name, { ttl }));
        break;
      case "increment":
        won.push(await increment(store, key));
        break;
      case "count":
        won.push((await store.count(key, 1, limit === undefined ? { ttl } : { ttl, limit })).allowed);
        break;
      case "open":
        won.push(await openAndPut(key, name));
        break;
    }
  }
  return won;
}

/** Reads a number and writes the next one, again until no other contender came between. */
async function increment(store: Store, key: string): Promise<boolean> {
  for (;;) {
    const entry = await store.get(key);
    if (!entry) return false;
    if (await store.swap(key, entry.version, String(Number(entry.value) + 1), { ttl })) return true;
  }
}

/** Opens a store that others open at the same time, writes if none of them did, and closes it. */
async function openAndPut(url: string, name: string): Promise<boolean> {
  const store = await openStore(url, { clock: systemClock, random: systemRandom, logger: silentLogger });
  const wrote = await store.put("opened by", name, { ttl, ifAbsent: true });
  await store.close();
  return wrote;
}
