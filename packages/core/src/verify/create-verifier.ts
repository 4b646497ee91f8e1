import type { CoreConfig } from "../config/section.ts";
import { tokenDigest } from "../crypto/index.ts";
import type { Reason } from "../errors/index.ts";
import type { GrantJudge, Judgement } from "../grants/index.ts";
import type { IdentityProvider } from "../identity/identity-provider.ts";
import { type AccessTokenClaims, type Keyring, parseAccessToken, verifySignature } from "../keys/index.ts";
import { UnreadableRecord } from "../records/index.ts";
import type { Clock } from "../runtime/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { BearerVerifier } from "./bearer-verifier.ts";
import type { Principal } from "./principal.ts";
import { verifyProviderToken } from "./provider-token.ts";
import { BearerRefusal } from "./refusal.ts";
import type { ProtectedResource, ResourceCatalog } from "./resource-catalog.ts";

/** Clocks of replicas may differ by this much, ms. */
const leeway = 60_000;
const mostCached = 20_000;
/** A stream that is still open so long after its token's end is closed, ms. */
const streamOverrun = 3_600_000;
/** RFC 6750 §2.1; the scheme's name in any case (RFC 9110 §11.1). */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

export interface VerifierDeps {
  readonly issuer: string;
  readonly resources: ResourceCatalog;
  readonly scopes: ScopeCatalog;
  readonly keyring: Keyring;
  readonly judge: GrantJudge;
  readonly identityProvider: IdentityProvider;
  readonly machines: CoreConfig["machines"];
  readonly clock: Clock;
}

/** A token that has passed door one, with the principal that its last judgement gave. */
interface KnownToken {
  readonly claims: AccessTokenClaims;
  readonly resource: ProtectedResource;
  judgement: Judgement | undefined;
  principal: Principal | undefined;
}

/** Verifies our own access tokens and, for machines, Cognito's. */
export function createVerifier(deps: VerifierDeps): BearerVerifier {
  const { clock, keyring, judge } = deps;
  let known = new Map<string, KnownToken>();
  let generation = keyring.generation;

  const context = (resource: ProtectedResource) => ({
    scope: resource.defaultScopes.join(" "),
    resourceMetadata: resource.metadataUrl,
  });

  /** Door one: signature, type, issuer, audience, expiry. */
  const doorOne = async (token: string, resource: ProtectedResource): Promise<KnownToken | Reason> => {
    const parsed = parseAccessToken(token);
    if (typeof parsed === "string") return parsed;
    let key = keyring.find(parsed.kid);
    if (!key) {
      await keyring.refresh().catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable) && !(error instanceof UnreadableRecord)) throw error;
        throw BearerRefusal.unavailable("store_unavailable");
      });
      key = keyring.find(parsed.kid);
    }
    if (!key) return "token_signature_invalid";
    const claims = verifySignature(parsed, key);
    if (typeof claims === "string") return claims;
    if (claims.iss !== deps.issuer) return "token_issuer_mismatch";
    if (claims.aud !== resource.url) return "token_audience_mismatch";
    const now = clock.now();
    if (claims.exp * 1000 <= now) return "token_expired";
    if (Math.max(claims.iat, claims.nbf ?? 0) * 1000 > now + leeway) return "token_not_yet_valid";
    return { claims, resource, judgement: undefined, principal: undefined };
  };

  const principalOf = (token: KnownToken, judgement: Judgement): Principal => {
    if (judgement.holds === "unknown") throw BearerRefusal.unavailable(judgement.reason);
    if (judgement.holds === "no") throw BearerRefusal.invalid(judgement.reason, context(token.resource));
    if (token.principal && token.judgement === judgement) return token.principal;
    const { claims, resource } = token;
    const { grant, grantId } = judgement;
    const { upstream } = grant;
    const mine =
      grant.clientId === claims.client_id && grant.resource === claims.aud && grant.principal === claims.principal;
    if (!mine || !upstream) throw BearerRefusal.invalid("grant_user_mismatch", context(resource));
    const tokenScopes = claims.scope.split(" ");
    const named = new Set(tokenScopes);
    const expiresAt = claims.exp * 1000;
    const shared = { clientId: claims.client_id, grantId, resource: claims.aud, tokenScopes, expiresAt };
    const doors = { token: true, grant: true } as const;
    if (upstream.kind === "cognito_client") {
      const entitled = deps.scopes.ofMachine(upstream.clientId, resource.path);
      if (claims.sub !== upstream.clientId) throw BearerRefusal.invalid("grant_user_mismatch", context(resource));
      const scopes = entitled.filter((scope) => named.has(scope));
      token.principal = {
        kind: "machine",
        subject: claims.sub,
        groups: [],
        claims: {},
        scopes,
        entitled,
        doors,
        ...shared,
      };
    } else {
      const { sub, username, groups, email, claims: extra } = upstream.identity;
      if (claims.sub !== sub) throw BearerRefusal.invalid("grant_user_mismatch", context(resource));
      const here = new Set(deps.scopes.ofResource(resource.path));
      const entitled = deps.scopes.ofGroups(groups).filter((scope) => here.has(scope));
      const scopes = entitled.filter((scope) => named.has(scope));
      const user = { kind: "user", subject: sub, username, groups, claims: extra } as const;
      token.principal = { ...user, ...(email === undefined ? {} : { email }), scopes, entitled, doors, ...shared };
    }
    token.judgement = judgement;
    return token.principal;
  };

  /** Door two. Stays synchronous where the judgement is remembered. */
  const doorTwo = (token: KnownToken): Principal | Promise<Principal> => {
    const judgement = judge.judge(token.claims.sid);
    if (judgement instanceof Promise) return judgement.then((judged) => principalOf(token, judged));
    return principalOf(token, judgement);
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
    throw BearerRefusal.invalid(verified, context(resource));
  };

  const remember = (digest: string, token: KnownToken): void => {
    known.set(digest, token);
    if (known.size <= mostCached) return;
    const oldest = known.keys().next();
    if (!oldest.done) known.delete(oldest.value);
  };

  const resourceOf = (url: string): ProtectedResource => {
    const resource = deps.resources.byUrl(url);
    if (!resource) throw new RangeError(`${url} is not one of the configured resources`);
    return resource;
  };

  return {
    check(authorization, resourceUrl) {
      const resource = resourceOf(resourceUrl);
      if (authorization === undefined) throw BearerRefusal.missing(context(resource));
      const token = bearer.exec(authorization)?.[1];
      if (token === undefined) throw BearerRefusal.invalid("token_malformed", context(resource));
      if (generation !== keyring.generation) {
        known = new Map();
        generation = keyring.generation;
      }
      const digest = tokenDigest(token);
      const cached = known.get(digest);
      if (!cached) return unknownToken(digest, token, resource);
      if (cached.claims.exp * 1000 <= clock.now()) {
        known.delete(digest);
        throw BearerRefusal.invalid("token_expired", context(resource));
      }
      if (cached.resource !== resource) throw BearerRefusal.invalid("token_audience_mismatch", context(resource));
      return doorTwo(cached);
    },

    async recheck(principal) {
      const resource = resourceOf(principal.resource);
      if (clock.now() > principal.expiresAt + streamOverrun)
        throw BearerRefusal.invalid("token_expired", context(resource));
      // A token that Cognito issued has no second door: the stream lasts as long as the token.
      if (principal.grantId === undefined) {
        if (clock.now() < principal.expiresAt) return principal;
        throw BearerRefusal.invalid("token_expired", context(resource));
      }
      const judgement = await judge.judge(principal.grantId);
      const claims: AccessTokenClaims = {
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
      return principalOf({ claims, resource, judgement: undefined, principal: undefined }, judgement);
    },

    challenge: (url) => context(resourceOf(url)),
  };
}
