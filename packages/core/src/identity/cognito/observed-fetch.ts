import {
  type CallObserver,
  type Clock,
  type Fetch,
  observedCall,
  outcomeOfStatus,
  type RemoteEndpoint,
} from "../../runtime/index.ts";

/** Ends of paths of Cognito's endpoints; what stands before them depends on pool and domain. */
const endpoints: readonly (readonly [string, RemoteEndpoint])[] = [
  ["/.well-known/openid-configuration", "cognito_discovery"],
  ["/.well-known/jwks.json", "cognito_keys"],
  ["/oauth2/token", "cognito_token"],
  ["/oauth2/revoke", "cognito_revoke"],
  ["/oauth2/userInfo", "cognito_user_info"],
];

/** The same fetch, for requests to Cognito, each of which is told to an observer. */
export function observedCognitoFetch(
  fetch: Fetch,
  deps: { readonly observer: CallObserver; readonly clock: Pick<Clock, "monotonic"> },
): Fetch {
  return (input, init) => {
    const { pathname } = new URL(input);
    const endpoint = endpoints.find(([end]) => pathname.endsWith(end))?.[1] ?? "cognito_other";
    return observedCall(
      deps,
      endpoint,
      () => fetch(input, init),
      ({ status }) => outcomeOfStatus(status),
    );
  };
}
