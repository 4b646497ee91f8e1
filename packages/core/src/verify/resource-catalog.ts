/** The part of a configured resource that verification needs. */
export interface ProtectedResource {
  /** Canonical URL: the audience of its tokens. */
  readonly url: string;
  readonly path: string;
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
    readonly name?: string | undefined;
    readonly requiredScopes: readonly string[];
    readonly accessTtl?: number | undefined;
  }[],
  defaultsOf: (path: string) => readonly string[],
  defaultPath: string | undefined,
): ResourceCatalog {
  const base = new URL(baseUrl);
  const prefix = base.pathname === "/" ? "" : base.pathname;
  const all = configured.map((resource): ProtectedResource => {
    const path = resource.path === "/" ? "" : resource.path;
    return {
      url: `${base.origin}${prefix}${path}`,
      path: resource.path,
      name: resource.name ?? resource.path,
      // RFC 9728 §3.1: the well-known part goes between host and path.
      metadataUrl: `${base.origin}/.well-known/oauth-protected-resource${prefix}${path}`,
      requiredScopes: resource.requiredScopes,
      defaultScopes: defaultsOf(resource.path),
      accessTtl: resource.accessTtl,
    };
  });
  const byUrl = new Map(all.map((resource) => [resource.url, resource]));
  const byPath = new Map(all.map((resource) => [resource.path, resource]));
  return {
    all,
    byUrl: (url) => byUrl.get(url),
    byPath: (path) => byPath.get(path),
    default: defaultPath === undefined ? (all.length === 1 ? all[0] : undefined) : byPath.get(defaultPath),
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
