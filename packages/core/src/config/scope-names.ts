/** Scopes that every client may ask for and that no token carries: a sign-in is what they stand for. */
export const identityScopes: ReadonlySet<string> = new Set(["openid", "email", "profile", "offline_access"]);

/** What the names of scopes mean, given the configured ones. Pure. */
export interface ScopeNames {
  /** The configured scope that a client or an administrator means by a name; `undefined` for none, and for an identity scope. */
  resolve(name: string): string | undefined;
  /**
   * The configured scope that a scope in one of Cognito's own tokens is. Narrower than {@link ScopeNames.resolve}: a short
   * name in a token is never taken for a scope of a resource server.
   */
  fromProvider(name: string): string | undefined;
  /** A configured scope as Cognito names it: `<resource server>/<name>`. */
  toProvider(scope: string): string;
}

/** Cognito allows no slash in the name of a scope, so what has one is a full name. */
const isShort = (name: string): boolean => !name.includes("/");

/**
 * Short and full names of scopes, in one place. A configured name means itself. Beyond that, with a resource server named,
 * `read` and `<resource server>/read` mean each other. Without one, a short name means the only configured full one that
 * ends in it; a full name is never cut, as it may be another resource server's.
 * @param configured the names under `scopes`, each as an administrator wrote it
 * @param resourceServer the setting `cognito.resource_server`
 */
export function scopeNames(configured: Iterable<string>, resourceServer: string | undefined): ScopeNames {
  const known = new Set([...configured].filter((name) => !identityScopes.has(name)));
  const prefix = resourceServer === undefined ? undefined : `${resourceServer}/`;

  const cut = (name: string): string | undefined => {
    if (prefix === undefined || !name.startsWith(prefix)) return undefined;
    const short = name.slice(prefix.length);
    return isShort(short) && known.has(short) ? short : undefined;
  };
  const fromProvider = (name: string): string | undefined => (known.has(name) ? name : cut(name));
  const complete = (name: string): string | undefined => {
    if (!isShort(name)) return undefined;
    if (prefix !== undefined) return known.has(prefix + name) ? prefix + name : undefined;
    const [only, ...others] = fullNamesOf(name, known);
    return others.length === 0 ? only : undefined;
  };
  return {
    fromProvider,
    resolve: (name) => (identityScopes.has(name) ? undefined : (fromProvider(name) ?? complete(name))),
    toProvider: (scope) => (prefix !== undefined && isShort(scope) ? prefix + scope : scope),
  };
}

/** The full names among `known` that a short name could stand for. */
export const fullNamesOf = (name: string, known: Iterable<string>): readonly string[] =>
  isShort(name) ? [...known].filter((scope) => scope.endsWith(`/${name}`)) : [];
