/** The part of a configured resource that verification needs. */
export interface ProtectedResource {
  /** Canonical URL: the audience of its tokens. */
  readonly url: string;
  /** Path of the configured resource: the same for each of its URLs. */
  readonly path: string;
  /** Whether it is one of the further URLs of its resource, on a host name of its own. */
  readonly isFurther: boolean;
  readonly name: string;
  readonly metadataUrl: string;
  readonly requiredScopes: readonly string[];
  readonly defaultScopes: readonly string[];
  /** How long access tokens for it live, ms; undefined: as long as any. */
  readonly accessTtl: number | undefined;
}

/** Every protected resource of this deployment. */
export interface ResourceCatalog {
  readonly all: readonly ProtectedResource[];
  byUrl(url: string): ProtectedResource | undefined;
  /**
   * The one that a request means: on the host of a further URL by host and path, on any other by its path alone, since
   * behind a proxy the host may be anything.
   */
  at(request: Pick<URL, "host" | "pathname">): ProtectedResource | undefined;
  /** The one below the base URL. */
  byPath(path: string): ProtectedResource | undefined;
  /** The one meant by a client that names none: the configured default, or the only one. */
  readonly default: ProtectedResource | undefined;
  /**
   * The resource that a `resource` parameter means (RFC 8707 §2). Letter case of scheme and host, the default port, one
   * trailing slash and the query make no difference; a fragment, userinfo or anything else does.
   */
  resolve(parameter: string): ProtectedResource | undefined;
}

/**
 * Scheme, authority, path, query; no fragment, no backslash, visible ASCII only. The URL parser mends much that is not in
 * this form, and what was sent must already be plain.
 */
const plainForm = /^(?=[!-~]+$)https?:\/\/([^/?#\\]+)((?:\/[^?#\\]*)?)(?:\?[^#]*)?$/i;
const dotSegment = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * Builds the catalog from the configuration alone; no request header ever takes part.
 * @param baseUrl public URL without trailing slash
 */
export function resourceCatalog(
  baseUrl: string,
  configured: readonly {
    readonly path: string;
    readonly urls?: readonly string[] | undefined;
    readonly name?: string | undefined;
    readonly requiredScopes: readonly string[];
    readonly accessTtl?: number | undefined;
  }[],
  defaultsOf: (path: string) => readonly string[],
  defaultPath: string | undefined,
): ResourceCatalog {
  const base = new URL(baseUrl);
  const prefix = base.pathname === "/" ? "" : base.pathname;
  const main = configured.map((resource): ProtectedResource => {
    const path = resource.path === "/" ? "" : resource.path;
    return {
      url: `${base.origin}${prefix}${path}`,
      path: resource.path,
      isFurther: false,
      name: resource.name ?? resource.path,
      metadataUrl: metadataUrl(base.origin, `${prefix}${path}`),
      requiredScopes: resource.requiredScopes,
      defaultScopes: defaultsOf(resource.path),
      accessTtl: resource.accessTtl,
    };
  });
  const byPath = new Map(main.map((resource) => [resource.path, resource]));
  const further = configured.flatMap(({ path, urls = [] }) => {
    const same = byPath.get(path);
    if (same === undefined) return [];
    return urls.map((text): ProtectedResource => {
      const { origin, pathname } = new URL(text);
      const own = pathname === "/" ? "" : pathname;
      return { ...same, url: `${origin}${own}`, isFurther: true, metadataUrl: metadataUrl(origin, own) };
    });
  });
  const all = [...main, ...further];
  const byUrl = new Map(all.map((resource) => [resource.url, resource]));
  const byPlace = new Map(main.map((resource) => [new URL(resource.url).pathname, resource]));
  const byHost = new Map<string, Map<string, ProtectedResource>>();
  for (const resource of further) {
    const url = new URL(resource.url);
    for (const host of hostSpellings(url)) {
      const there = byHost.get(host) ?? new Map<string, ProtectedResource>();
      byHost.set(host, there.set(url.pathname, resource));
    }
  }
  return {
    all,
    byUrl: (url) => byUrl.get(url),
    at: ({ host, pathname }) => (byHost.get(host) ?? byPlace).get(pathname),
    byPath: (path) => byPath.get(path),
    default: defaultPath === undefined ? (main.length === 1 ? main[0] : undefined) : byPath.get(defaultPath),
    resolve(parameter) {
      const [, authority = "", path = ""] = (parameter.length <= 2048 && plainForm.exec(parameter)) || [];
      if (authority === "" || dotSegment.test(path) || !URL.canParse(parameter)) return undefined;
      const url = new URL(parameter);
      const defaultPort = url.protocol === "https:" ? 443 : 80;
      if (![url.host, `${url.host}:${defaultPort}`].includes(authority.toLowerCase())) return undefined;
      return byUrl.get(`${url.origin}${url.pathname.replace(/\/$/, "")}`);
    },
  };
}

/**
 * How a `Host` header may name the host of a URL: the default port of its scheme is mostly left out. Behind a proxy
 * that ends TLS it comes on plain http, where the port of https is none to leave out.
 */
export const hostSpellings = ({ protocol, host, hostname, port }: URL): readonly string[] =>
  port === "" ? [host, `${hostname}:${protocol === "https:" ? 443 : 80}`] : [host];

/**
 * Where the metadata of a protected resource is.
 * @param resource its canonical URL
 */
export function metadataUrlOf(resource: string): string {
  const { origin, pathname } = new URL(resource);
  return metadataUrl(origin, pathname === "/" ? "" : pathname);
}

/** RFC 9728 §3.1: the well-known part goes between host and path. */
const metadataUrl = (origin: string, path: string): string => `${origin}/.well-known/oauth-protected-resource${path}`;
