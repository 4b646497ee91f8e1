import { z } from "zod";
import type { Clock, Logger } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import type { CognitoEndpoints } from "./endpoints.ts";
import { parseJson } from "./errors.ts";
import { type ProviderFetch, requestName } from "./provider-fetch.ts";
import { type RemoteDocument, remoteDocument } from "./remote-document.ts";

/** What is taken from the pool's OpenID configuration. */
export interface Discovery {
  /** Exactly as tokens must have it in `iss`. */
  readonly issuer: string;
  readonly jwksUri: URL;
}

const times = { maxAgeMs: 600_000, maxStaleMs: 86_400_000, failureCooldownMs: 5_000, reloadCooldownMs: 30_000 };

const url = z
  .string()
  .refine((text) => URL.canParse(text))
  .transform((text) => ({ text, url: new URL(text) }));
const documentSchema = z.object({ issuer: url, jwks_uri: url, token_endpoint: url.optional() });

/**
 * The pool's OpenID configuration (OpenID Connect Discovery 1.0 §4.3). AWS has two forms of issuer and a pool's owner
 * chooses, so the document says which; it is believed only if the host may speak for the pool and the path is the pool.
 * Whatever is wrong with it is no fault of the token in hand, so it never counts as `invalid_response`.
 */
export function poolDiscovery(options: {
  readonly userPoolId: string;
  readonly endpoints: CognitoEndpoints;
  readonly fetch: ProviderFetch;
  readonly clock: Clock;
  readonly logger: Logger;
}): RemoteDocument<Discovery> {
  const { endpoints, logger, userPoolId } = options;
  const what = requestName(endpoints.discovery);

  const load = async (): Promise<Discovery> => {
    const answer = await options.fetch(endpoints.discovery, { headers: { accept: "application/json" } });
    if (answer.status === 400 || answer.status === 404) {
      throw new IdentityProviderError("misconfigured", `${what} answered ${answer.status}: check cognito.user_pool_id`);
    }
    if (answer.status !== 200) throw new IdentityProviderError("unavailable", `${what} answered ${answer.status}`);
    const document = documentSchema.safeParse(parseJson(answer.body));
    if (!document.success) throw new IdentityProviderError("unavailable", `${what} is no OpenID configuration`);
    const { issuer, jwks_uri: jwksUri, token_endpoint: token } = document.data;
    if (!endpoints.isPoolHost(issuer.url) || !isPoolPath(issuer.url, userPoolId)) {
      throw new IdentityProviderError("misconfigured", `${what} names an issuer that is not the user pool's`);
    }
    if (!endpoints.isPoolHost(jwksUri.url)) {
      throw new IdentityProviderError("misconfigured", `${what} names a jwks_uri that is not the user pool's`);
    }
    if (token !== undefined && token.url.origin !== endpoints.token.origin) {
      // Right for a pool with a prefix and a custom domain; else cognito.domain is wrong, or the pool has none.
      logger.warn("the user pool's discovery names another domain than cognito.domain", {
        discovery: token.url.origin,
      });
    }
    return { issuer: issuer.text, jwksUri: jwksUri.url };
  };

  return remoteDocument({
    load: () => unavailableUnlessMisconfigured(load()),
    clock: options.clock,
    times,
    onFailure: (error) => logger.warn("the user pool's discovery cannot be used", { error: String(error) }),
  });
}

const isPoolPath = (issuer: URL, userPoolId: string): boolean =>
  issuer.pathname.split("/").at(-1) === userPoolId &&
  issuer.search === "" &&
  issuer.hash === "" &&
  issuer.username === "";

/** Lets no other failure out: what the provider publishes about itself is not an answer about a token. */
export async function unavailableUnlessMisconfigured<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof IdentityProviderError && error.failure === "invalid_response") {
      throw new IdentityProviderError("unavailable", error.message);
    }
    throw error;
  }
}
