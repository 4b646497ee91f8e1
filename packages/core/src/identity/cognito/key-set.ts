import { type CryptoKey, createLocalJWKSet, errors, type JWTHeaderParameters } from "jose";
import { z } from "zod";
import type { Clock, Logger } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import { type Discovery, unavailableUnlessMisconfigured } from "./discovery.ts";
import { parseJson } from "./errors.ts";
import { type ProviderFetch, requestName } from "./provider-fetch.ts";
import { type RemoteDocument, remoteDocument } from "./remote-document.ts";

/** The pool's public keys (RFC 7517). */
export interface KeySet {
  /** Fetches the keys unless they are there, so that a later check needs no request. */
  ready(): Promise<void>;
  /**
   * The key a token's header names. A `kid` that is unknown makes the keys be fetched anew, once in 30 seconds at most.
   * Rejects with jose's `JWKSNoMatchingKey` if there is none, with {@link IdentityProviderError} if that cannot be told.
   */
  key(header: JWTHeaderParameters): Promise<CryptoKey>;
}

const times = { maxAgeMs: 600_000, maxStaleMs: 3_600_000, failureCooldownMs: 5_000, reloadCooldownMs: 30_000 };

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })).min(1) });

/** Keeps the keys behind the discovery's `jwks_uri`. Cognito signs ID and access tokens with different ones. */
export function poolKeySet(options: {
  readonly discovery: RemoteDocument<Discovery>;
  readonly fetch: ProviderFetch;
  readonly clock: Clock;
  readonly logger: Logger;
}): KeySet {
  const load = async (): Promise<ReturnType<typeof createLocalJWKSet>> => {
    const { jwksUri } = await options.discovery.get();
    const what = requestName(jwksUri);
    const answer = await options.fetch(jwksUri, { headers: { accept: "application/json" } });
    if (answer.status !== 200) throw new IdentityProviderError("unavailable", `${what} answered ${answer.status}`);
    const document = keySetSchema.safeParse(parseJson(answer.body));
    if (!document.success) throw new IdentityProviderError("unavailable", `${what} is no JSON Web Key Set`);
    return createLocalJWKSet(document.data);
  };
  const keys = remoteDocument({
    load: () => unavailableUnlessMisconfigured(load()),
    clock: options.clock,
    times,
    onFailure: (error) => options.logger.warn("the user pool's keys cannot be fetched", { error: String(error) }),
  });

  return {
    ready: async () => {
      await keys.get();
    },
    key: async (header) => {
      // Without it, any key of the pool would do.
      if (typeof header.kid !== "string") throw new errors.JWKSNoMatchingKey();
      const known = await keys.get();
      try {
        return await known(header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
      const fresh = await keys.reload();
      return await fresh(header);
    },
  };
}
