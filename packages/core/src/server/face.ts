import type { AuditSink } from "../audit/index.ts";
import type { CoreConfig } from "../config/index.ts";
import type { EpochScope } from "../grants/index.ts";
import type { IdentityProvider } from "../identity/index.ts";
import type { IdentityAssertions } from "../keys/index.ts";
import type { SharedCounts } from "../limits/index.ts";
import type { Network } from "../net/index.ts";
import type { CallObserver, Clock, Fetch, Logger, Random } from "../runtime/index.ts";
import type { Store } from "../store/index.ts";
import type { AnyClaims, BearerVerifier, Principal } from "../verify/index.ts";
import type { FetchHandler } from "./fetch-handler.ts";

/** What may be handed in instead of the machine's own; tests hand in all of it. */
export interface SallyportRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly fetch: Fetch;
  /** Instead of the machine's resolver and sockets, for what clients publish elsewhere: metadata documents and keys. */
  readonly network: Network;
  readonly logger: Logger;
  readonly audit: AuditSink;
  /** Instead of the one that the setting `store` names. Closed with the rest. */
  readonly store: Store;
  /** Instead of Cognito. */
  readonly identityProvider: IdentityProvider;
  /** Is told of every call of the store, of Cognito, of KMS and of what clients publish elsewhere. */
  readonly observer: CallObserver;
}

/**
 * An authorization server in front of a Cognito user pool, with the checks for what stands behind it.
 * @typeParam Claims of a sign-in, as {@link Principal} has them
 */
export interface Sallyport<Claims extends object = AnyClaims> {
  /** Answers the authorization server's endpoints and all discovery documents. */
  readonly fetch: FetchHandler;
  /**
   * Whether `fetch` has an endpoint or a document at this place, whatever the method: the rest is your app's.
   * @param url as the public has it: the path with that of the base URL
   */
  serves(url: Pick<URL, "host" | "pathname">): boolean;
  /** The public URL, without a slash at its end. */
  baseUrl(): string;
  /**
   * Fetches the discovery documents through the public URL, as a client would, and asks each resource for its challenge.
   * Call it when the app listens. Never rejects.
   * @returns what is wrong and how to mend it, a text for each fault; empty: nothing
   */
  selfCheck(): Promise<readonly string[]>;
  /**
   * Puts a handler behind both doors. The resource is the one at the request's path; on the host of a resource's further
   * URL, the one at the whole URL.
   * @param handler gets the request and who makes it; never called without a valid token. A BearerRefusal that it throws
   *   is answered, and so is what `requireGroup` and `requireScope` refuse below it, inside the tools of an MCP SDK too
   */
  protect(
    handler: (request: Request, principal: Principal<Claims>) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response>;
  /**
   * Who makes a request to a protected resource.
   * @throws BearerRefusal, ready to be answered
   */
  verify(request: Request): Promise<Principal<Claims>>;
  /**
   * Who makes the request that is being served, anywhere below `protect` or an adapter.
   * @throws Error outside a request
   */
  getPrincipal(): Principal<Claims>;
  /**
   * Cognito's access token of the user who makes a request, good for a minute at least, for calls to AWS on the user's
   * behalf. Needs the setting `exposeCognitoToken`. Hand it to nobody else: it opens whatever Cognito meant it for.
   * @param principal default: the one of the request that is being served
   * Rejects with BearerRefusal: 401 where the sign-in has ended, 403 for a machine, 503 where Cognito or the store do
   * not answer; with ConfigError where the setting is off
   */
  cognitoToken(principal?: Principal<object>): Promise<string>;
  /** The same for hot paths, without a Request object. */
  readonly verifier: BearerVerifier;
  /**
   * Ends every grant that exists now: of all, of a user (`sub`) or of a client. Holds everywhere within the check
   * interval (`tokens.grant_check_interval`). With `cognito.global_sign_out` a user is signed out at Cognito as well.
   * Rejects with StoreUnavailable if nothing was written; with IdentityProviderError if Cognito did not sign the user
   * out, though here the grants have ended.
   */
  endGrants(scope: EpochScope): Promise<void>;
  /**
   * Signs who makes a request, for servers behind this deployment that want to know. The keys are made at the first call
   * and are in the published key set from then on: call it at the start of every process of the deployment.
   * Rejects with StoreUnavailable or UnreadableRecord where they cannot be read.
   */
  identityAssertions(): Promise<IdentityAssertions>;
  /** Counts over all replicas, for limits of one's own. */
  readonly counts: SharedCounts;
  /**
   * What keeps this process from serving, in short texts for anybody (`store unavailable`, `keyring unreadable`,
   * `store unfit`, `clock off by 40 s`); empty: nothing. For `/readyz`: the details are logged, and whoever asks within a
   * second gets the same answer. Never rejects.
   */
  readiness(): Promise<readonly string[]>;
  /**
   * Takes over other settings, at once and as a whole: where it throws, nothing has changed. Everything that remembers
   * something stays: sign-ins, keys, counts, caches. Requests that are under way finish as they began; whoever holds a
   * stream open asks `verifier.recheck` again. What `liveCoreSettings` lists may change; all else needs a restart.
   * @param config checked settings, all of them, as `parseCoreConfig` or `loadConfig` gives them
   * @throws ConfigError that names each setting which needs a restart, or what is wrong
   */
  reconfigure(config: CoreConfig): void;
  close(): Promise<void>;
}
