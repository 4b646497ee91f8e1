import { z } from "zod";
import { fromText } from "./from-text.ts";
import { type Assigned, type Layer, pathKey } from "./layer.ts";
import { envName, formatKey, formatPath, nearest, unknownKey } from "./names.ts";
import type { Problem } from "./problem.ts";
import { alternatives, elementOf, isNullable, listSettings, type Setting, schemaAt } from "./walk.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names that many deployments of Cognito have already; our own name for the setting counts more. */
const aliases: Readonly<Record<string, string>> = {
  SALLYPORT_COGNITO_USER_POOL_ID: "COGNITO_USER_POOL_ID",
  SALLYPORT_COGNITO_CLIENT_ID: "COGNITO_CLIENT_ID",
  SALLYPORT_COGNITO_CLIENT_SECRET: "COGNITO_CLIENT_SECRET",
  SALLYPORT_COGNITO_DOMAIN: "COGNITO_DOMAIN",
};

/** The other name a setting's variable may have. */
export const aliasOf = (variable: string): string | undefined => aliases[variable];

/**
 * Reads the settings of the environment: `SALLYPORT_<PATH>` for each setting, and `COGNITO_…`. An empty variable counts
 * as not set, as container tools cannot leave one out.
 * @param ignore further variables beginning with `SALLYPORT_` that mean something to somebody; `SALLYPORT_TEST_*` names
 *   all that begin so
 */
export function fromEnvironment(schema: z.ZodType, env: Environment, ignore: readonly string[] = []): Layer {
  const settings = new Map<string, Assigned>();
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const faulty: (readonly string[])[] = [];
  const known = new Set<string>();
  for (const setting of listSettings(schema)) {
    const own = envName(setting.path);
    known.add(own);
    const alias = aliasOf(own);
    const variable = env[own] || alias === undefined ? own : alias;
    const text = env[variable];
    if (!text) continue;
    const name = formatPath(schema, setting.path, "snake");
    if (alias !== undefined && variable === own && env[alias] && env[alias] !== text) {
      warnings.push({ setting: name, source: own, message: `${alias} says something else and is not used` });
    }
    const read = readVariable(schema, setting, text, variable);
    if ("value" in read) settings.set(pathKey(setting.path), { value: read.value, source: () => variable });
    else faulty.push(setting.path);
    problems.push(...read.problems);
  }
  warnings.push(...unknownVariables(env, known, ignore));
  return { settings, tables: [], problems, warnings, faulty };
}

function unknownVariables(env: Environment, known: ReadonlySet<string>, ignore: readonly string[]): Problem[] {
  const ignored = (name: string): boolean =>
    ignore.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry));
  return Object.keys(env)
    .filter((name) => name.startsWith("SALLYPORT_") && !known.has(name) && env[name] !== undefined && !ignored(name))
    .map((name) => {
      const ending = [...known].find((other) => other.endsWith(name.slice("SALLYPORT".length)));
      const meant = ending ?? nearest(name, known);
      const hint = meant === undefined ? "it has no effect" : `it has no effect; did you mean ${meant}?`;
      return { setting: name, source: name, message: `is not the name of a setting: ${hint}` };
    });
}

type Read = { readonly value: unknown; readonly problems: Problem[] } | { readonly problems: Problem[] };

/**
 * Reads one variable as its setting wants it: a text, a number, `true` or `false`, a list (separated by spaces or
 * commas, or JSON), or JSON with the keys of the file.
 */
export function readVariable(root: z.ZodType, setting: Setting, text: string, variable: string): Read {
  const { schema, path } = setting;
  const name = formatPath(root, path, "snake");
  const wrong = (message: string): Read => ({ problems: [{ setting: name, source: variable, message }] });
  const trimmed = text.trim();
  if (trimmed === "none" && isNullable(schema)) return { value: null, problems: [] };

  const element = elementOf(schema);
  const isJson = /^[[{]/.test(trimmed);
  if (element && !isJson && takesScalar(element)) {
    const parts = trimmed.split(/[\s,]+/).filter((part) => part !== "");
    return { value: parts.map((part) => scalar(element, part)), problems: [] };
  }
  const isStructure = alternatives(schema).some((option) => !isScalar(option));
  if (isStructure && (isJson || !takesScalar(schema))) {
    let value: unknown;
    try {
      value = JSON.parse(trimmed);
    } catch {
      // The parser's own message quotes the text.
      return wrong(`is not valid JSON; write ${element ? "a list" : "an object"} as JSON, with the keys of the file`);
    }
    const problems: Problem[] = [];
    const converted = fromText(schema, value, path, path, {
      seen: () => {},
      unknown: (at, key) => {
        const message = unknownKey(root, schemaAt(root, at) ?? root, at, key, "snake");
        problems.push({ setting: formatKey(root, at, key, "snake"), source: variable, message });
      },
    });
    return { value: converted, problems };
  }
  return { value: scalar(schema, text), problems: [] };
}

const isScalar = (option: z.ZodType): boolean =>
  !(option instanceof z.ZodObject || option instanceof z.ZodRecord || option instanceof z.ZodArray);

const takesScalar = (schema: z.ZodType): boolean => alternatives(schema).some(isScalar);

const words: Readonly<Record<string, boolean>> = { true: true, false: false, "1": true, "0": false };

/** A text as the number or truth value that the schema wants; what does not fit is left for the schema to refuse. */
function scalar(schema: z.ZodType, text: string): unknown {
  const options = alternatives(schema);
  const trimmed = text.trim();
  if (options.some((option) => option instanceof z.ZodBoolean)) {
    const word = words[trimmed.toLowerCase()];
    if (word !== undefined) return word;
  }
  if (options.some((option) => option instanceof z.ZodNumber) && /^-?\d+(?:\.\d+)?$/.test(trimmed)) {
    return Number(trimmed);
  }
  return trimmed;
}
