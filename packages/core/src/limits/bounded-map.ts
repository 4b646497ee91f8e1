/** So many keys a limit remembers at a time, whatever is sent. */
export const mostKeys = 10_000;

/**
 * Sets an entry and makes it the newest; at more than {@link mostKeys} the oldest goes.
 * A Map keeps its order of insertion: what is written again moves to the end, what is first is unseen for longest.
 */
export function setNewest<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > mostKeys && !oldest.done) map.delete(oldest.value);
}
