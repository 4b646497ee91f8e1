import type { CallObserver, RemoteEndpoint, RemoteOutcome } from "./call-observer.ts";
import type { Clock } from "./clock.ts";

/**
 * Does a call over the network and tells how long it took and how it went.
 * @param outcomeOf of what it answered
 * @param failureOf of what it rejected with; default: nobody was reached
 */
export async function observedCall<T>(
  deps: { readonly observer: CallObserver; readonly clock: Pick<Clock, "monotonic"> },
  endpoint: RemoteEndpoint,
  call: () => Promise<T>,
  outcomeOf: (answer: T) => RemoteOutcome,
  failureOf: (error: unknown) => RemoteOutcome = () => "unreachable",
): Promise<T> {
  const { observer, clock } = deps;
  const startedAt = clock.monotonic();
  const tell = (outcome: RemoteOutcome): void => observer.remote(endpoint, clock.monotonic() - startedAt, outcome);
  try {
    const answer = await call();
    tell(outcomeOf(answer));
    return answer;
  } catch (error) {
    tell(failureOf(error));
    throw error;
  }
}
