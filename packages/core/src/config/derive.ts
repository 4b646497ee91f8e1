import type { z } from "zod";
import { isTree, type Tree } from "./layer.ts";
import { fullNamesOf, identityScopes, scopeNames } from "./scope-names.ts";
import { elementOf, fieldsOf, kindOf, type Path, recordOf } from "./walk.ts";

/** Settings that follow from others. */
export interface Derived {
  readonly input: Tree;
  /** Derived places and the places that they follow from. */
  readonly from: readonly { readonly path: Path; readonly source: Path }[];
  readonly warnings: readonly { readonly path: Path; readonly message: string }[];
}

const listOfTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/**
 * Fills in what one setting of the core section says about another:
 * `requiredScopes` holds for each resource that sets none of its own; where no `scopes` are written down, those that
 * resources name are the ones there are; identity scopes are taken out of required ones, since every user who signed
 * in has them and no token says so; and wherever a setting names a scope, it then has the name under `scopes`, so that
 * nothing behind this point knows of short and full names.
 */
export function deriveSettings(schema: z.ZodType, given: Tree): Derived {
  const fields = fieldsOf(schema);
  if (!fields?.has("requiredScopes") || !fields.has("resources") || !fields.has("scopes")) {
    return { input: given, from: [], warnings: [] };
  }
  const from: { path: Path; source: Path }[] = [];
  const warnings: { path: Path; message: string }[] = [];

  const withoutIdentity = (scopes: unknown, path: Path): unknown => {
    if (!listOfTexts(scopes)) return scopes;
    const dropped = scopes.filter((scope) => identityScopes.has(scope));
    if (dropped.length === 0) return scopes;
    warnings.push({
      path,
      message: `${dropped.join(", ")}: ignored, as every sign-in has it and no token carries it; leave it out`,
    });
    return scopes.filter((scope) => !identityScopes.has(scope));
  };

  const required = withoutIdentity(given.requiredScopes, ["requiredScopes"]);
  const resources = !Array.isArray(given.resources)
    ? given.resources
    : given.resources.map((resource: unknown, index) => {
        if (!isTree(resource)) return resource;
        const path = ["resources", index, "requiredScopes"];
        const own = resource.requiredScopes;
        if (own !== undefined) return { ...resource, requiredScopes: withoutIdentity(own, path) };
        if (!listOfTexts(required) || required.length === 0) return resource;
        from.push({ path, source: ["requiredScopes"] });
        return { ...resource, requiredScopes: required };
      });

  const scopes = given.scopes;
  const input: Tree = { ...given };
  if (required !== undefined) input.requiredScopes = required;
  if (resources !== undefined) input.resources = resources;
  if (scopes === undefined || (isTree(scopes) && Object.keys(scopes).length === 0)) {
    const named = namedScopes(resources, required);
    if (named.size > 0) {
      input.scopes = Object.fromEntries([...named.keys()].map((name) => [name, {}]));
      for (const [name, source] of named) from.push({ path: ["scopes", name], source });
    }
  }
  const resourceServer = isTree(given.cognito) ? given.cognito.resourceServer : undefined;
  const names = scopeNames(
    isTree(input.scopes) ? Object.keys(input.scopes) : [],
    typeof resourceServer === "string" ? resourceServer : undefined,
  );
  const resolved = renameScopes(schema, input, (name) => names.resolve(name) ?? name);
  return { input: isTree(resolved) ? resolved : input, from, warnings };
}

/** The value with every scope that it names renamed. Lists keep their length: messages tell places by index. */
function renameScopes(schema: z.ZodType, value: unknown, rename: (name: string) => string): unknown {
  if (typeof value === "string") return kindOf(schema) === "scope" ? rename(value) : value;
  const element = elementOf(schema);
  if (Array.isArray(value)) return element ? value.map((item: unknown) => renameScopes(element, item, rename)) : value;
  if (!isTree(value)) return value;
  const fields = fieldsOf(schema);
  const entry = recordOf(schema);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const field = fields?.get(key) ?? entry;
      return [key, field ? renameScopes(field, item, rename) : item];
    }),
  );
}

/**
 * The scopes that resources have or require, each with the place that names it. A short name beside a full one that it
 * could stand for is no scope of its own.
 */
function namedScopes(resources: unknown, required: unknown): Map<string, Path> {
  const named = new Map<string, Path>();
  const add = (scopes: unknown, path: Path): void => {
    if (!listOfTexts(scopes)) return;
    for (const scope of scopes) if (!identityScopes.has(scope) && !named.has(scope)) named.set(scope, path);
  };
  if (Array.isArray(resources)) {
    resources.forEach((resource: unknown, index) => {
      if (!isTree(resource)) return;
      for (const key of ["scopes", "requiredScopes"]) add(resource[key], ["resources", index, key]);
    });
  }
  add(required, ["requiredScopes"]);
  return new Map([...named].filter(([name]) => fullNamesOf(name, named.keys()).length === 0));
}
