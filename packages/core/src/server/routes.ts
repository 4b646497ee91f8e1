import {
  type AuthorizeDeps,
  callback,
  decideConsent,
  endSession,
  listRemembered,
  showConsent,
  showLogout,
} from "../authorize/index.ts";
import { createInitialAccessCheck, type RegistrationPolicy } from "../clients/index.ts";
import { type Keyring, keySetAge } from "../keys/index.ts";
import type { Limiter } from "../limits/index.ts";
import {
  introspectionEndpoint,
  type MachineAuthentication,
  revocationEndpoint,
  type TokenDeps,
  tokenEndpoint,
} from "../token/index.ts";
import type { ProtectedResource } from "../verify/index.ts";
import { authorizationServerMetadata, endpointPaths, openidConfiguration } from "./authorization-server-metadata.ts";
import { protectedResourceMetadata } from "./protected-resource-metadata.ts";
import { registerEndpoint } from "./register-endpoint.ts";

/** What the routes are made of. */
export interface ServerDeps extends AuthorizeDeps, Omit<TokenDeps, "limits"> {
  readonly limits: AuthorizeDeps["limits"] & TokenDeps["limits"] & { readonly register: Limiter };
  readonly registrationPolicy: RegistrationPolicy;
  /** The keys of identity assertions, where there are any. */
  readonly identityKeyring: () => Promise<Keyring | undefined>;
  readonly machineAuthentication: MachineAuthentication;
}

/** Who reads the answers of a route, and so in which form errors are written and whether scripts of other origins may ask. */
export type Audience = "browser" | "client" | "anyone";

/** One endpoint. */
export interface Route {
  readonly method: "GET" | "POST";
  /** Path as the public sees it. */
  readonly path: string;
  /** Origin of a further URL of a resource, on whose host alone it is served; undefined: on every other. */
  readonly origin?: string;
  /** `browser`: pages. `client`: JSON, CORS for allowed origins. `anyone`: public documents, CORS for all. */
  readonly audience: Audience;
  readonly handle: (request: Request, address: string) => Response | Promise<Response>;
}

const rootForm = "/.well-known/oauth-protected-resource";

/** How long documents may be cached, ms. */
const documentAge = 300_000;

const document =
  (body: unknown, age = documentAge) =>
  () =>
    new Response(JSON.stringify(body), {
      headers: {
        "Content-Type": "application/json",
        "Cache-Control": `public, max-age=${Math.floor(age / 1000)}`,
        "X-Content-Type-Options": "nosniff",
      },
    });

/** Every endpoint that is served. What is not here does not exist, and metadata name nothing else. */
export function routes(deps: ServerDeps): readonly Route[] {
  const base = pathOf(deps.baseUrl);
  const issuer = pathOf(deps.issuer);
  const { machineAuthentication: machine } = deps;
  const endpoints: Route[] = [
    { method: "GET", path: base + endpointPaths.authorize, audience: "browser", handle: showConsent(deps) },
    { method: "GET", path: base + endpointPaths.consent, audience: "browser", handle: listRemembered(deps) },
    { method: "POST", path: base + endpointPaths.consent, audience: "browser", handle: decideConsent(deps) },
    { method: "GET", path: base + endpointPaths.callback, audience: "browser", handle: callback(deps) },
    { method: "GET", path: base + endpointPaths.logout, audience: "browser", handle: showLogout(deps) },
    { method: "POST", path: base + endpointPaths.logout, audience: "browser", handle: endSession(deps) },
    { method: "POST", path: base + endpointPaths.token, audience: "client", handle: tokenEndpoint(deps, machine) },
    {
      method: "POST",
      path: base + endpointPaths.revoke,
      audience: "client",
      handle: revocationEndpoint(deps, machine),
    },
  ];
  if (deps.capabilities.introspection) {
    const handle = introspectionEndpoint(deps);
    endpoints.push({ method: "POST", path: base + endpointPaths.introspect, audience: "client", handle });
  }
  if (deps.capabilities.registration) {
    const handle = registerEndpoint({
      clients: deps.clients,
      mayRegister: createInitialAccessCheck(deps.config.registration.initialAccessTokens, deps.keys),
      policy: deps.registrationPolicy,
      limiter: deps.limits.register,
      maxBody: deps.config.maxBody,
      audit: deps.audit,
      clock: deps.clock,
    });
    endpoints.push({ method: "POST", path: base + endpointPaths.register, audience: "client", handle });
  }

  const metadata = authorizationServerMetadata({
    issuer: deps.issuer,
    baseUrl: deps.baseUrl,
    capabilities: deps.capabilities,
    scopes: deps.scopes.all,
  });
  const openid = document(openidConfiguration(metadata));
  const keySet = async (): Promise<Response> => {
    // While the store is away, the keys as they were known serve those who check tokens better than none.
    const rings = [deps.keyring, await deps.identityKeyring()].filter((ring) => ring !== undefined);
    await Promise.all(rings.map(async (ring) => ring.current()?.catch(() => {})));
    return document({ keys: rings.flatMap((ring) => ring.jwks().keys) }, keySetAge(deps.config))();
  };
  const documents: [string, () => Response | Promise<Response>][] = [
    // RFC 8414 §3.1 puts the well-known part between host and path, OpenID Connect Discovery §4 behind the path.
    [`/.well-known/oauth-authorization-server${issuer}`, document(metadata)],
    [`${issuer}/.well-known/openid-configuration`, openid],
    [`${issuer}/.well-known/jwks.json`, keySet],
  ];
  if (issuer !== "") documents.push([`/.well-known/openid-configuration${issuer}`, openid]);

  const described = new Map<string, Route>();
  const describe = (resource: ProtectedResource, metadataUrl: string): void => {
    const { origin, pathname: path } = new URL(metadataUrl);
    const place = resource.isFurther ? { origin, path } : { path };
    const key = `${place.origin ?? ""} ${path}`;
    if (described.has(key)) return;
    const body = protectedResourceMetadata(resource, deps.issuer, deps.scopes.ofResource(resource.path));
    described.set(key, { method: "GET", ...place, audience: "anyone", handle: document(body) });
  };
  const { all, default: main } = deps.resources;
  for (const resource of all) describe(resource, resource.metadataUrl);
  // The root form describes the origin's default resource, for clients that know no other (RFC 9728 §3.1).
  if (main) describe(main, `${new URL(deps.baseUrl).origin}${rootForm}`);
  const byOrigin = Map.groupBy(
    all.filter(({ isFurther }) => isFurther),
    ({ url }) => new URL(url).origin,
  );
  for (const [origin, [only, ...others]] of byOrigin) {
    if (only && others.length === 0) describe(only, `${origin}${rootForm}`);
  }
  return [
    ...endpoints,
    ...documents.map(([path, handle]): Route => ({ method: "GET", path, audience: "anyone", handle })),
    ...described.values(),
  ];
}

const pathOf = (url: string): string => new URL(url).pathname.replace(/\/$/, "");
