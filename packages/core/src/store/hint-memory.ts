import type { IndexHints, IndexName } from "./store.ts";

const mostRemembered = 10_000;

/** Remembers which hints stand, so that a record that is written again and again does not write them each time. */
export interface HintMemory {
  /** The hints that have to be written for a record, with the end to give them (ms): later than asked, for the next writes. */
  due(key: string, index: IndexHints, expiresAt: number, ttl: number): readonly DueHint[];
  /** That a hint has been written. */
  written(hint: DueHint): void;
}

export interface DueHint {
  readonly index: IndexName;
  readonly value: string;
  readonly key: string;
  readonly expiresAt: number;
}

export function hintMemory(): HintMemory {
  const ends = new Map<string, number>();
  const nameOf = ({ index, value, key }: DueHint): string => JSON.stringify([index, value, key]);
  return {
    due(key, hints, expiresAt, ttl) {
      return (["user", "client"] as const).flatMap((index) => {
        const value = hints[index];
        if (value === undefined) return [];
        const hint = { index, value, key, expiresAt: Math.ceil(expiresAt + ttl / 2) };
        return (ends.get(nameOf(hint)) ?? 0) >= expiresAt ? [] : [hint];
      });
    },
    written(hint) {
      const name = nameOf(hint);
      ends.delete(name);
      ends.set(name, hint.expiresAt);
      const oldest = ends.keys().next();
      if (ends.size > mostRemembered && !oldest.done) ends.delete(oldest.value);
    },
  };
}
