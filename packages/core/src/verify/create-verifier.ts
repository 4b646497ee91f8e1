import type { CoreConfig } from "../config/section.ts";
import { tokenDigest } from "../crypto/index.ts";
import type { Reason } from "../errors/index.ts";
import type { GrantJudge, Judgement } from "../grants/index.ts";
import type { IdentityProvider } from "../identity/identity-provider.ts";
import { type Keyring, streamOverrun } from "../keys/index.ts";
import type { Clock } from "../runtime/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import type { BearerVerifier } from "./bearer-verifier.ts";
import { isOutage, type OwnToken, readOwnToken, timeFault } from "./own-token.ts";
import type { Principal } from "./principal.ts";
import { principalOf } from "./principal-of.ts";
import { providerPrincipal, verifyProviderToken } from "./provider-token.ts";
import { BearerRefusal } from "./refusal.ts";
import type { ProtectedResource, ResourceCatalog } from "./resource-catalog.ts";

const mostCached = 20_000;
/** RFC 6750 §2.1; the scheme's name in any case (RFC 9110 §11.1). */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const usualScheme = "Bearer ";

/** What the settings say of who may what. */
export interface VerifierSettings extends Pick<CoreConfig, "machines" | "clients"> {
  readonly resources: ResourceCatalog;
  readonly scopes: ScopeCatalog;
}

export interface VerifierDeps {
  readonly issuer: string;
  /** Those of now: another object whenever something in them is another. What was computed with the last one is over. */
  readonly settings: () => VerifierSettings;
  readonly keyring: Keyring;
  readonly judge: GrantJudge;
  readonly identityProvider: IdentityProvider;
  readonly clock: Clock;
}

/** A token that has passed door one, with the principal that its last judgement gave under the settings of then. */
interface KnownToken {
  readonly claims: OwnToken;
  judgement: Judgement | undefined;
  settings: VerifierSettings | undefined;
  principal: Principal | undefined;
}

/** Verifies our own access tokens and, for machines, Cognito's. */
export function createVerifier(deps: VerifierDeps): BearerVerifier {
  const { clock, keyring, judge, settings } = deps;
  let known = new Map<string, KnownToken>();
  let generation = keyring.generation;
  /** The key behind a principal, for streams: where that is dropped, they end. */
  const signedBy = new WeakMap<Principal, string>();

  const context = (resource: ProtectedResource) => ({
    scope: resource.defaultScopes.join(" "),
    resourceMetadata: resource.metadataUrl,
  });

  /** Door one: signature, type, issuer, audience, expiry. */
  const doorOne = async (token: string, resource: ProtectedResource): Promise<KnownToken | Reason> => {
    const claims = await readOwnToken(token, deps);
    if (typeof claims === "string") return claims;
    if (claims.aud !== resource.url) return "token_audience_mismatch";
    const fault = timeFault(claims, clock.now());
    return fault ?? unjudged(claims);
  };

  const judged = (token: KnownToken, judgement: Judgement): Principal => {
    const now = settings();
    if (judgement.holds === "yes" && token.principal && token.judgement === judgement && token.settings === now)
      return token.principal;
    if (judgement.holds === "unknown") throw BearerRefusal.unavailable(judgement.reason);
    const resource = now.resources.byUrl(token.claims.aud);
    // The settings have changed while the request was waiting.
    if (!resource) throw BearerRefusal.notPermitted();
    if (judgement.holds === "no") throw BearerRefusal.invalid(judgement.reason, context(resource));
    const principal = principalOf(token.claims, resource, judgement, now);
    if (typeof principal === "string") throw BearerRefusal.invalid(principal, context(resource));
    signedBy.set(principal, token.claims.kid);
    token.principal = principal;
    token.judgement = judgement;
    token.settings = now;
    return principal;
  };

  /** Door two. Stays synchronous where the judgement is remembered. */
  const doorTwo = (token: KnownToken): Principal | Promise<Principal> => {
    const judgement = judge.judge(token.claims.sid);
    if (judgement instanceof Promise) return judgement.then((answer) => judged(token, answer));
    return judged(token, judgement);
  };

  const unknownToken = async (digest: string, token: string, resource: ProtectedResource): Promise<Principal> => {
    const verified = await doorOne(token, resource);
    if (typeof verified !== "string") {
      remember(digest, verified);
      return doorTwo(verified);
    }
    // Not one of ours by its type: it may be a machine's, straight from Cognito.
    if (verified === "token_type_invalid") {
      const machine = await verifyProviderToken(token, resource, deps);
      if (typeof machine !== "string") return machine;
      throw machine === "provider_unavailable"
        ? BearerRefusal.unavailable(machine)
        : BearerRefusal.invalid(machine, context(resource));
    }
    if (verified === "store_unavailable") throw BearerRefusal.unavailable(verified);
    throw BearerRefusal.invalid(verified, context(resource));
  };

  const remember = (digest: string, token: KnownToken): void => {
    known.set(digest, token);
    if (known.size <= mostCached) return;
    const oldest = known.keys().next();
    if (!oldest.done) known.delete(oldest.value);
  };

  const bothDoors = (authorization: string, resource: ProtectedResource): Principal | Promise<Principal> => {
    if (generation !== keyring.generation) {
      known = new Map();
      generation = keyring.generation;
    }
    // The form of what is known need not be looked at again.
    let digest = authorization.startsWith(usualScheme) ? tokenDigest(authorization.slice(usualScheme.length)) : "";
    let cached = known.get(digest);
    if (!cached) {
      const token = bearer.exec(authorization)?.[1];
      if (token === undefined) throw BearerRefusal.invalid("token_malformed", context(resource));
      digest = tokenDigest(token);
      cached = known.get(digest);
      if (!cached) return unknownToken(digest, token, resource);
    }
    if (cached.claims.exp * 1000 <= clock.now()) {
      known.delete(digest);
      throw BearerRefusal.invalid("token_expired", context(resource));
    }
    if (cached.claims.aud !== resource.url) throw BearerRefusal.invalid("token_audience_mismatch", context(resource));
    return doorTwo(cached);
  };

  const resourceOf = (url: string): ProtectedResource => {
    const resource = settings().resources.byUrl(url);
    if (!resource) throw new RangeError(`${url} is not one of the configured resources`);
    return resource;
  };

  return {
    check(authorization, resourceUrl) {
      const resource = resourceOf(resourceUrl);
      if (authorization === undefined) throw BearerRefusal.missing(context(resource));
      const reading = keyring.current();
      if (!reading) return bothDoors(authorization, resource);
      return reading.catch(unavailable).then(() => bothDoors(authorization, resource));
    },

    async recheck(principal) {
      const resource = settings().resources.byUrl(principal.resource);
      // What is served no more is permitted to nobody.
      if (!resource) throw BearerRefusal.notPermitted();
      if (clock.now() > principal.expiresAt + streamOverrun)
        throw BearerRefusal.invalid("token_expired", context(resource));
      // A token that Cognito issued has no second door: the stream lasts as long as the token.
      if (principal.grantId === undefined) {
        if (clock.now() >= principal.expiresAt) throw BearerRefusal.invalid("token_expired", context(resource));
        const { subject, tokenScopes, expiresAt } = principal;
        const machine = providerPrincipal(subject, tokenScopes, expiresAt, resource, settings());
        if (typeof machine === "string") throw BearerRefusal.invalid(machine, context(resource));
        return machine;
      }
      // Afresh: a judgement that is remembered may be an interval old already, and the stream asks once an interval.
      const judgement = await judge.judgeAfresh(principal.grantId);
      await keyring.current()?.catch(unavailable);
      const kid = signedBy.get(principal);
      if (kid === undefined || !keyring.find(kid)) {
        throw BearerRefusal.invalid("token_signature_invalid", context(resource));
      }
      const claims: OwnToken = {
        kid,
        iss: deps.issuer,
        sub: principal.subject,
        aud: principal.resource,
        client_id: principal.clientId,
        scope: principal.tokenScopes.join(" "),
        exp: principal.expiresAt / 1000,
        iat: 0,
        jti: "",
        sid: principal.grantId,
        principal: principal.kind,
      };
      return judged(unjudged(claims), judgement);
    },

    challenge: (url) => context(resourceOf(url)),
  };
}

const unjudged = (claims: OwnToken): KnownToken => ({
  claims,
  judgement: undefined,
  settings: undefined,
  principal: undefined,
});

/** The keys could not be read for too long: nothing is known, and nothing refused. */
function unavailable(error: unknown): never {
  throw isOutage(error) ? BearerRefusal.unavailable("store_unavailable") : error;
}
