import { nearest } from "./names.ts";
import { type Rule, type RuleReport, ruleFor } from "./rule.ts";
import { fullNamesOf, identityScopes, scopeNames } from "./scope-names.ts";
import type { CoreConfig } from "./section.ts";
import type { Path } from "./walk.ts";

const rule = ruleFor<CoreConfig>();

const quote = (text: string): string => JSON.stringify(text);

type Scopes = CoreConfig["scopes"];

/** A scope and everything that comes with it. */
function closure(name: string, scopes: Scopes): Set<string> {
  const found = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(Object.hasOwn(scopes, next) ? (scopes[next]?.includes ?? []) : []));
  }
  return found;
}

/**
 * What is wrong with a name that a setting gives for a scope, and the mend. Settings are loaded by then: a name that
 * stands for a configured scope has become that scope's.
 * @param scopesSetting how `scopes` is called where the message is read
 * @returns `undefined` for a configured scope
 */
export function scopeFault(name: string, scopes: Scopes, scopesSetting: string): string | undefined {
  if (Object.hasOwn(scopes, name)) return undefined;
  if (identityScopes.has(name)) return `${name} is part of every sign-in and is not granted; leave it out`;
  const known = Object.keys(scopes);
  const candidates = fullNamesOf(name, known);
  if (candidates.length > 1) return `${quote(name)} could be ${candidates.join(" or ")}; write one of them in full`;
  const meant = candidates[0] ?? nearest(name, known);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  const mend = known.length === 0 ? `; name it under ${scopesSetting}` : `${hint} (known: ${known.join(", ")})`;
  return `there is no scope ${quote(name)}${mend}`;
}

/** Reports the names in a list that are no scopes. */
function unknownAmong(names: readonly string[] | undefined, path: Path, scopes: Scopes, report: RuleReport): void {
  names?.forEach((name, index) => {
    const fault = scopeFault(name, scopes, report.name(["scopes"]));
    if (fault !== undefined) report.problem([...path, index], fault);
  });
}

const unknownInclude = rule("unknown-scope-included", ["scopes"], ({ scopes }, report) => {
  for (const [name, scope] of Object.entries(scopes)) {
    unknownAmong(scope.includes, ["scopes", name, "includes"], scopes, report);
  }
});

const unknownInGroup = rule("unknown-scope-of-group", ["scopes", "groups"], ({ scopes, groups }, report) => {
  for (const [name, given] of Object.entries(groups)) unknownAmong(given, ["groups", name], scopes, report);
});

const unknownInClaim = rule("unknown-scope-of-claim", ["scopes", "claims"], ({ scopes, claims }, report) => {
  claims.forEach((given, index) => {
    unknownAmong(given.scopes, ["claims", index, "scopes"], scopes, report);
  });
});

const unknownInResource = rule(
  "unknown-scope-of-resource",
  ["scopes", "resources", "requiredScopes"],
  ({ scopes, resources, requiredScopes }, report) => {
    unknownAmong(requiredScopes, ["requiredScopes"], scopes, report);
    resources.forEach((resource, index) => {
      unknownAmong(resource.scopes, ["resources", index, "scopes"], scopes, report);
      // What a resource has from the setting for all resources is reported there, once.
      if (resource.requiredScopes.every((name) => requiredScopes.includes(name))) return;
      unknownAmong(resource.requiredScopes, ["resources", index, "requiredScopes"], scopes, report);
    });
  },
);

const unknownInClient = rule("unknown-scope-of-client", ["scopes", "clients"], ({ scopes, clients }, report) => {
  for (const [id, client] of Object.entries(clients)) {
    unknownAmong(client.scopes, ["clients", id, "scopes"], scopes, report);
  }
});

const unknownInMachine = rule("unknown-scope-of-machine", ["scopes", "machines"], ({ scopes, machines }, report) => {
  for (const [id, machine] of Object.entries(machines)) {
    unknownAmong(machine.scopes, ["machines", id, "scopes"], scopes, report);
  }
});

const unknownInRegistration = rule(
  "unknown-scope-of-registration",
  ["scopes", "registration"],
  ({ scopes, registration }, report) => {
    unknownAmong(registration.defaultScopes, ["registration", "defaultScopes"], scopes, report);
    unknownAmong(registration.allowedScopes, ["registration", "allowedScopes"], scopes, report);
  },
);

const registrationDefault = rule(
  "registration-default",
  ["scopes", "registration"],
  ({ scopes, registration: { defaultScopes, allowedScopes } }, report) => {
    if (!allowedScopes) return;
    const reach = new Set(allowedScopes.flatMap((name) => [...closure(name, scopes)]));
    defaultScopes?.forEach((name, index) => {
      if (reach.has(name) || !Object.hasOwn(scopes, name)) return;
      const message = `no client that registers itself can have ${name}; add it to ${report.name(["registration", "allowedScopes"])}`;
      report.problem(["registration", "defaultScopes", index], message);
    });
  },
);

const oneScopeTwice = rule("one-scope-twice", ["scopes", "cognito"], ({ scopes, cognito }, report) => {
  const { toProvider } = scopeNames([], cognito.resourceServer);
  for (const name of Object.keys(scopes)) {
    const full = toProvider(name);
    if (full === name || !Object.hasOwn(scopes, full)) continue;
    const message = `is ${full} at Cognito, which is here as well; keep one of the two names`;
    report.problem(["scopes", name], message);
  }
});

const identityScope = rule("identity-scope", ["scopes"], ({ scopes }, report) => {
  for (const name of Object.keys(scopes)) {
    if (identityScopes.has(name)) {
      report.problem(["scopes", name], `${name} is part of every sign-in and is never granted; remove it here`);
    }
  }
});

const includeCycle = rule("include-cycle", ["scopes"], ({ scopes }, report) => {
  const seen = new Set<string>();
  for (const start of Object.keys(scopes)) {
    const way = wayBack(start, scopes);
    if (!way || way.some((name) => seen.has(name))) continue;
    for (const name of way) seen.add(name);
    const message = `the scopes include each other: ${[...way, start].join(" → ")}; take one of them out`;
    report.problem(["scopes", start, "includes"], message);
  }
});

/** The scopes on a way from a scope back to itself; `undefined` if there is none. */
function wayBack(start: string, scopes: Scopes): readonly string[] | undefined {
  const tried = new Set<string>();
  const open: (readonly string[])[] = [[start]];
  for (let way = open.pop(); way; way = open.pop()) {
    for (const next of scopes[way.at(-1) ?? start]?.includes ?? []) {
      if (next === start) return way;
      if (tried.has(next) || !Object.hasOwn(scopes, next)) continue;
      tried.add(next);
      open.push([...way, next]);
    }
  }
  return undefined;
}

const requiredScope = rule("required-scope", ["resources", "scopes"], ({ resources, scopes }, report) => {
  resources.forEach((resource, index) => {
    if (!resource.scopes) return;
    const reach = new Set(resource.scopes.flatMap((name) => [...closure(name, scopes)]));
    for (const name of resource.requiredScopes) {
      if (reach.has(name) || !Object.hasOwn(scopes, name)) continue;
      const message = `nobody can have ${name} here; add it to ${report.name(["resources", index, "scopes"])}`;
      report.problem(["resources", index, "requiredScopes"], message);
    }
  });
});

const emptyGroup = rule("empty-group", ["groups"], ({ groups }, report) => {
  for (const [name, scopes] of Object.entries(groups)) {
    if (scopes.length === 0) report.warn(["groups", name], "gives nothing, as if the group were not here");
  }
});

/** What holds between scopes and the settings that name them. */
export const scopeRules: readonly Rule[] = [
  unknownInclude,
  unknownInGroup,
  unknownInClaim,
  unknownInResource,
  unknownInClient,
  unknownInMachine,
  unknownInRegistration,
  registrationDefault,
  oneScopeTwice,
  identityScope,
  includeCycle,
  requiredScope,
  emptyGroup,
];
