/** A comment, which every reader of event streams passes over (HTML Standard, Server-sent events). */
export const keepAliveComment = ": keep-alive\n\n";

const lf = 0x0a;
const cr = 0x0d;

/** The last three bytes of a stream of which nothing has come yet: as if an event had just ended. */
export const noTail = (lf << 16) | (lf << 8) | lf;

/** The last three bytes of a stream after some more of it. */
export function tailAfter(tail: number, chunk: Uint8Array): number {
  let after = tail;
  for (let i = Math.max(0, chunk.length - 3); i < chunk.length; i++)
    after = ((after << 8) | (chunk[i] ?? 0)) & 0xffffff;
  return after;
}

/** Whether a stream that ends so stands between two events: behind an empty line, whichever line ends it uses. */
export function isBetweenEvents(tail: number): boolean {
  const [first, middle, last] = [tail >> 16, (tail >> 8) & 0xff, tail & 0xff];
  if (last === cr) return middle === cr || middle === lf;
  if (last !== lf) return false;
  // A single line end may be CR LF, so that what is before it counts as well.
  return middle === lf || (middle === cr && (first === lf || first === cr));
}
