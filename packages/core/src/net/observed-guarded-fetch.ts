import { type CallObserver, type Clock, observedCall, outcomeOfStatus } from "../runtime/index.ts";
import { type GuardedFetch, GuardedFetchError } from "./guarded-fetch.ts";

/** The same fetch, every request of which is told to an observer. */
export const observedGuardedFetch =
  (
    fetch: GuardedFetch,
    deps: { readonly observer: CallObserver; readonly clock: Pick<Clock, "monotonic"> },
  ): GuardedFetch =>
  (url, request) =>
    observedCall(
      deps,
      "client_url",
      () => fetch(url, request),
      ({ status }) => outcomeOfStatus(status),
      (error) => (error instanceof GuardedFetchError && error.failure !== "unavailable" ? "refused" : "unreachable"),
    );
