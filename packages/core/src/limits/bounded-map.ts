/** So many keys a limit remembers at a time, whatever is sent. */
export const mostKeys = 10_000;

/**
 * Sets an entry and makes it the newest; at more than `most` the oldest goes.
 * A Map keeps its order of insertion: what is written again moves to the end, what is first is unseen for longest.
 * @returns what has gone
 */
export function setNewest<V>(map: Map<string, V>, key: string, value: V, most = mostKeys): V | undefined {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const oldest = map.entries().next();
  if (oldest.done) return undefined;
  map.delete(oldest.value[0]);
  return oldest.value[1];
}
