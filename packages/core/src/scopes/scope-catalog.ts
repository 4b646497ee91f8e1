import { identityScopes, scopeNames } from "../config/scope-names.ts";
import type { CoreConfig } from "../config/section.ts";

/** What is known of a user that gives scopes; an identity of the provider's, whole. */
export interface Entitling {
  readonly sub: string;
  readonly groups: readonly string[];
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What the configuration says of scopes. Pure: no clock, no store. */
export interface ScopeCatalog {
  /** Every configured scope, in order. */
  readonly all: readonly string[];
  /** Scopes of OpenID Connect that clients send out of habit: accepted, never granted, never asked of Cognito for a client. */
  isIdentityScope(scope: string): boolean;
  /** The scope that a name in a client's request means, short or full; `undefined` for none, and for an identity scope. */
  resolve(name: string): string | undefined;
  /** The scopes that those in one of Cognito's own tokens are; what is no scope here is left out. */
  fromProvider(names: readonly string[]): readonly string[];
  /** A scope as Cognito names it. */
  toProvider(scope: string): string;
  /** A text for the consent page. */
  describe(scope: string): string;
  /** The scopes with all that they include, without repetition, in the order of the catalog. */
  expand(scopes: Iterable<string>): readonly string[];
  /**
   * What a user may have by groups and claims, included scopes spelled out. A group that is not configured gives
   * nothing, and neither does a claim that is not there or has another value.
   */
  ofUser(user: Entitling): readonly string[];
  /** What a machine client may have at a resource (its path); nothing if it is not configured there. */
  ofMachine(clientId: string, resourcePath: string): readonly string[];
  /** What can be had for a resource, included scopes spelled out. */
  ofResource(resourcePath: string): readonly string[];
  /** What a client gets that asks for nothing in particular: everything not marked `step_up`. */
  defaultsOf(resourcePath: string): readonly string[];
}

/**
 * Compiles the scopes, groups, resources and machines of a checked configuration.
 * @param config.cognito left out: no resource server is named
 */
export function scopeCatalog(
  config: Pick<CoreConfig, "scopes" | "groups" | "machines" | "resources"> & {
    readonly claims?: CoreConfig["claims"];
    readonly cognito?: Pick<CoreConfig["cognito"], "resourceServer">;
  },
): ScopeCatalog {
  const all = Object.keys(config.scopes);
  const names = scopeNames(all, config.cognito?.resourceServer);
  const closure = new Map(all.map((scope) => [scope, closureOf(scope, config.scopes)]));
  const expand = (scopes: Iterable<string>): readonly string[] => {
    const reached = new Set<string>();
    for (const scope of scopes) for (const included of closure.get(scope) ?? []) reached.add(included);
    return all.filter((scope) => reached.has(scope));
  };
  const claims = scopesByClaim(config.claims ?? []);
  const resources = new Map(config.resources.map(({ path, scopes }) => [path, scopes ? expand(scopes) : all]));
  const ofResource = (path: string): readonly string[] => resources.get(path) ?? [];
  return {
    all,
    isIdentityScope: (scope) => identityScopes.has(scope),
    resolve: names.resolve,
    fromProvider: (given) => [...new Set(given.flatMap((name) => names.fromProvider(name) ?? []))],
    toProvider: names.toProvider,
    describe: (scope) => config.scopes[scope]?.description ?? scope,
    expand,
    ofUser(user) {
      const { groups } = config;
      const given = user.groups.flatMap((group) => (Object.hasOwn(groups, group) ? (groups[group] ?? []) : []));
      for (const [claim, byValue] of claims) given.push(...scopesOfClaim(claimOf(user, claim), byValue));
      return expand(given);
    },
    ofMachine(clientId, path) {
      const machine = Object.hasOwn(config.machines, clientId) ? config.machines[clientId] : undefined;
      if (!machine || (machine.resources && !machine.resources.includes(path))) return [];
      const here = new Set(ofResource(path));
      return expand(machine.scopes).filter((scope) => here.has(scope));
    },
    ofResource,
    // A scope that includes one marked `step_up` would bring it along.
    defaultsOf: (path) =>
      ofResource(path).filter((scope) => !expand([scope]).some((included) => config.scopes[included]?.stepUp)),
  };
}

function closureOf(scope: string, scopes: CoreConfig["scopes"]): ReadonlySet<string> {
  const reached = new Set<string>();
  const pending = [scope];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    pending.push(...(scopes[next]?.includes ?? []));
  }
  return reached;
}

/** Scopes by value. Keys are compared as they are: the number 5, the text "5" and true are three things. */
type ScopesByValue = ReadonlyMap<unknown, readonly string[]>;

function scopesByClaim(entries: CoreConfig["claims"]): ReadonlyMap<string, ScopesByValue> {
  const byClaim = new Map<string, Map<unknown, string[]>>();
  for (const { claim, values, scopes } of entries) {
    const byValue = byClaim.get(claim) ?? new Map<unknown, string[]>();
    byClaim.set(claim, byValue);
    for (const value of values) byValue.set(value, [...(byValue.get(value) ?? []), ...scopes]);
  }
  return byClaim;
}

const scopesOfClaim = (value: unknown, byValue: ScopesByValue): readonly string[] =>
  Array.isArray(value) ? value.flatMap((one: unknown) => byValue.get(one) ?? []) : (byValue.get(value) ?? []);

/** An address that nobody has confirmed could be anyone's, whatever list of claims has it too. */
function claimOf(user: Entitling, claim: string): unknown {
  if (claim === "sub") return user.sub;
  if (claim === "email") return user.emailVerified === true ? user.email : undefined;
  return Object.hasOwn(user.claims, claim) ? user.claims[claim] : undefined;
}
