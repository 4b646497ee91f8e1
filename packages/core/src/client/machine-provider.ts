import {
  type AddClientAuthentication,
  type FetchLike,
  fetchToken,
  type OAuthClientProvider,
  type StoredOAuthClientInformation,
} from "@modelcontextprotocol/client";
import { type CryptoKey, type JWK, SignJWT } from "jose";
import { randomId } from "../crypto/index.ts";
import { type ClientOptions, withDefaults } from "./client-options.ts";
import { keptTokens } from "./kept-tokens.ts";
import { tokenCache } from "./token-cache.ts";

/** Life of a client assertion, seconds. */
const assertionLife = 60;

export interface MachineOptions extends ClientOptions {
  /** The only authorization server that gets to see this identity, whatever an MCP server says. */
  readonly issuer: string;
  readonly clientId: string;
  /** How it proves itself: with its secret, or with a key (`private_key_jwt`, RFC 7523). */
  readonly proof:
    | { readonly secret: string }
    | { readonly key: CryptoKey | JWK; readonly alg: string; readonly kid?: string };
  /** Scopes separated by spaces. Default: every scope that the machine was given for the resource. */
  readonly scope?: string;
}

/** The identity of a machine: an `authProvider` for the transports of MCP SDK v2, by `client_credentials`. */
export function machineProvider(options: MachineOptions): OAuthClientProvider {
  const { resource, folder, runtime } = withDefaults(options);
  const { clock, random, fetch } = runtime;
  const { clientId, issuer, proof, scope } = options;
  const cache = tokenCache({ folder, resource, identity: `machine ${clientId} ${scope ?? ""}`, clock, random });
  let indicator: string | undefined;

  const client: StoredOAuthClientInformation = {
    client_id: clientId,
    issuer,
    ...("secret" in proof ? { client_secret: proof.secret } : {}),
  };

  const addClientAuthentication: AddClientAuthentication | undefined =
    "secret" in proof
      ? undefined
      : async (_headers, params) => {
          const now = Math.floor(clock.now() / 1000);
          const assertion = await new SignJWT()
            .setProtectedHeader({ alg: proof.alg, typ: "JWT", ...(proof.kid === undefined ? {} : { kid: proof.kid }) })
            .setIssuer(clientId)
            .setSubject(clientId)
            .setAudience(issuer)
            .setIssuedAt(now)
            .setExpirationTime(now + assertionLife)
            .setJti(randomId(random, 16))
            .sign(proof.key);
          params.set("client_id", clientId);
          params.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
          params.set("client_assertion", assertion);
        };

  const kept = keptTokens(cache, {
    clock,
    fetch,
    renewal: (_, before, metadata) =>
      fetchToken(provider, issuer, {
        metadata,
        fetchFn: fetch satisfies FetchLike,
        ...(before.indicator === undefined ? {} : { resource: before.indicator }),
      }),
  });

  const provider: OAuthClientProvider = {
    redirectUrl: undefined,
    clientMetadata: {
      redirect_uris: [],
      grant_types: ["client_credentials"],
      token_endpoint_auth_method: "secret" in proof ? "client_secret_basic" : "private_key_jwt",
    },
    ...(addClientAuthentication ? { addClientAuthentication } : {}),
    clientInformation: () => client,
    saveResourceUrl(url) {
      indicator = url;
    },
    tokens: async (context) => (context ? (await cache.read(context.issuer))?.kept.tokens : kept.fresh()),
    prepareTokenRequest: () =>
      new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) }),
    async saveTokens(tokens) {
      await kept.save(issuer, tokens);
      const saved = indicator;
      if (saved !== undefined) await cache.change(issuer, (before) => ({ ...before, indicator: saved }));
    },
    invalidateCredentials: (what) => (what === "tokens" || what === "all" ? kept.drop(issuer, undefined) : undefined),
    redirectToAuthorization: noRedirect,
    saveCodeVerifier: noRedirect,
    codeVerifier: noRedirect,
  };
  return provider;
}

function noRedirect(): never {
  throw new Error("a machine has no browser");
}
