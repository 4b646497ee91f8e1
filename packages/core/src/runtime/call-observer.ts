/** How a call of the store went: `unavailable` where the backend did not serve it, `error` for anything else. */
export type StoreOutcome = "ok" | "unavailable" | "error";

/** The store's operations. */
export type StoreOperation = "get" | "put" | "take" | "swap" | "delete" | "count" | "list" | "scan";

/** What is called over the network: Cognito's endpoints, KMS, and the URLs that clients name. */
export type RemoteEndpoint =
  | "cognito_discovery"
  | "cognito_keys"
  | "cognito_token"
  | "cognito_revoke"
  | "cognito_user_info"
  | "cognito_api"
  | "cognito_other"
  | "kms"
  | "client_url";

/** How it went: `refused` is a status 4xx, `throttled` 429, `error` 5xx; `unreachable` where there was no answer at all. */
export type RemoteOutcome = "ok" | "refused" | "throttled" | "error" | "unreachable";

/** Is told of calls to what is outside the process. Must not throw and must not hold anything up. */
export interface CallObserver {
  /** @param ms how long it took */
  store(operation: StoreOperation, ms: number, outcome: StoreOutcome): void;
  /** @param ms how long it took until the answer began */
  remote(endpoint: RemoteEndpoint, ms: number, outcome: RemoteOutcome): void;
}

/** The outcome that an HTTP status says. */
export function outcomeOfStatus(status: number): RemoteOutcome {
  if (status === 429) return "throttled";
  if (status >= 500) return "error";
  return status >= 400 ? "refused" : "ok";
}
