/**
 * Does something within a time: when that is over the signal tells the work so, and nobody waits for it any longer,
 * whether it listens or not.
 * @param ms real time, milliseconds
 * Rejects as the work does; with a DOMException of the name `TimeoutError` where the time is over
 */
export async function withDeadline<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  const over = Promise.withResolvers<never>();
  const end = (): void => over.reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([work(signal), over.promise]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}
