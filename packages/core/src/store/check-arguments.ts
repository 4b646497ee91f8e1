import type { Clock } from "../runtime/index.ts";
import type { IndexHints } from "./store.ts";

// Every adapter refuses the same arguments, so that what works on one backend works on the others. The messages never
// repeat the argument: a key may hold a hash, a value a sealed secret.

/**
 * Refuses a text that a backend could not give back as it was.
 * @throws TypeError for an empty key or hint, or for a text with a lone surrogate: UTF-8 has no form for one, so two
 *   different keys would become the same
 */
export function checkText(what: "key" | "value" | "index hint", text: string): void {
  if (what !== "value" && text === "") throw new TypeError(`store: the ${what} must not be empty`);
  if (!text.isWellFormed()) throw new TypeError(`store: the ${what} holds a lone surrogate and has no UTF-8 form`);
}

/** Refuses index hints that {@link checkText} refuses. */
export function checkHints(hints: IndexHints | undefined): void {
  if (hints?.user !== undefined) checkText("index hint", hints.user);
  if (hints?.client !== undefined) checkText("index hint", hints.client);
}

/**
 * When something written now ends.
 * @param ttl lifetime in milliseconds, more than 0
 * @returns milliseconds since the Unix epoch, a whole number
 * @throws RangeError where `ttl` is not a usable lifetime
 */
export function expiryOf(clock: Clock, ttl: number): number {
  const expiresAt = Math.ceil(clock.now() + ttl);
  if (!(ttl > 0) || !Number.isSafeInteger(expiresAt)) {
    throw new RangeError("store: ttl must be a number of milliseconds above 0");
  }
  return expiresAt;
}

/**
 * Refuses steps and limits that are not whole numbers.
 * @param by 0 reads the counter and changes nothing
 * @throws RangeError
 */
export function checkCount(by: number, limit: number | undefined): void {
  if (!Number.isSafeInteger(by) || by < 0) throw new RangeError("store: a counter grows by a whole number from 0 up");
  if (limit !== undefined && !Number.isSafeInteger(limit)) {
    throw new RangeError("store: the limit of a counter must be a whole number");
  }
}
