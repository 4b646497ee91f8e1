import type { BearerVerifier } from "sallyport";
import type { AllowRule, DenyRule } from "./rule.ts";
import { type RuleTable, ruleTable } from "./rule-table.ts";

/** What a policy is made of: the parts of the settings that decide. */
export interface PolicyConfig {
  readonly servers: readonly {
    readonly name: string;
    /** Canonical URL of the protected resource. */
    readonly resource: string;
    /** Further URLs of the server, each a resource of its own: on host names that it has to itself. */
    readonly urls?: readonly string[];
    readonly requiredScopes: readonly string[];
  }[];
  readonly scopes: Readonly<
    Record<
      string,
      { readonly includes?: readonly string[] | undefined; readonly allow?: readonly AllowRule[] | undefined }
    >
  >;
  readonly deny: readonly DenyRule[];
}

/** A rule by its place in the settings; `setting` is the place in writing, such as `scopes."mcp/read".allow[0]`. */
export type RulePlace =
  | { readonly kind: "allow"; readonly scope: string; readonly index: number; readonly setting: string }
  | { readonly kind: "deny"; readonly index: number; readonly setting: string };

/** The place of an allow rule. */
export const allowPlace = (scope: string, index: number): RulePlace => {
  const name = /^[A-Za-z0-9_-]+$/.test(scope) ? scope : JSON.stringify(scope);
  return { kind: "allow", scope, index, setting: `scopes.${name}.allow[${index}]` };
};

/** The place of a deny rule. */
export const denyPlace = (index: number): RulePlace => ({ kind: "deny", index, setting: `deny[${index}]` });

/** What a scope gives, ready to be looked up. */
export interface ScopeGrants {
  /** Everything that comes with the scope, itself included. */
  readonly closure: ReadonlySet<string>;
  readonly table: RuleTable<RulePlace>;
}

/** A compiled policy: no I/O, no clock, never changed. */
export interface Policy {
  /** By name of the server. */
  readonly servers: ReadonlyMap<
    string,
    { readonly resources: ReadonlySet<string>; readonly requiredScopes: readonly string[] }
  >;
  /** Without any rules at scopes each server goes by its required scopes alone. */
  readonly byRules: boolean;
  /** Whether one may use a part of a server only, so that its lists are filtered. */
  readonly tellsApart: boolean;
  readonly scopes: ReadonlyMap<string, ScopeGrants>;
  readonly deny: {
    readonly everyone: RuleTable<RulePlace>;
    readonly byGroup: ReadonlyMap<string, RuleTable<RulePlace>>;
    readonly byMachine: ReadonlyMap<string, RuleTable<RulePlace>>;
  };
  readonly challenges: Pick<BearerVerifier, "challenge">;
  /** What it was compiled from. */
  readonly config: PolicyConfig;
}

/**
 * Turns the rules of checked settings into tables.
 * @param challenges where a client that lacks a scope is sent
 */
export function compile(config: PolicyConfig, challenges: Pick<BearerVerifier, "challenge">): Policy {
  const { servers, scopes, deny } = config;
  const places = deny.map((rule, index) => ({ rule, place: denyPlace(index) }));
  const denyTable = (concerns: (rule: DenyRule) => boolean): RuleTable<RulePlace> =>
    ruleTable(places.filter(({ rule }) => concerns(rule)).map(({ rule, place }) => [rule, place]));
  const byRules = Object.values(scopes).some(({ allow }) => allow !== undefined);
  return {
    servers: new Map(
      servers.map(({ name, resource, urls = [], requiredScopes }) => [
        name,
        { resources: new Set([resource, ...urls]), requiredScopes },
      ]),
    ),
    byRules,
    tellsApart: byRules || deny.length > 0,
    scopes: new Map(
      Object.entries(scopes).map(([scope, { allow = [] }]) => [
        scope,
        {
          closure: closureOf(scope, scopes),
          table: ruleTable(allow.map((rule, index) => [rule, allowPlace(scope, index)])),
        },
      ]),
    ),
    deny: {
      everyone: denyTable(({ groups, machines }) => groups === undefined && machines === undefined),
      byGroup: byName(places, "groups"),
      byMachine: byName(places, "machines"),
    },
    challenges,
    config,
  };
}

function byName(
  places: readonly { readonly rule: DenyRule; readonly place: RulePlace }[],
  key: "groups" | "machines",
): ReadonlyMap<string, RuleTable<RulePlace>> {
  const rules = new Map<string, (readonly [DenyRule, RulePlace])[]>();
  for (const { rule, place } of places) {
    for (const name of rule[key] ?? []) {
      const named = rules.get(name);
      if (named === undefined) rules.set(name, [[rule, place]]);
      else named.push([rule, place]);
    }
  }
  return new Map([...rules].map(([name, named]) => [name, ruleTable(named)]));
}

function closureOf(scope: string, scopes: PolicyConfig["scopes"]): ReadonlySet<string> {
  const reached = new Set<string>();
  const pending = [scope];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    if (Object.hasOwn(scopes, next)) pending.push(...(scopes[next]?.includes ?? []));
  }
  return reached;
}
