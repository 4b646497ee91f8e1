import type { z } from "zod";
import { deriveSettings } from "./derive.ts";
import { examine, type Fault } from "./issues.ts";
import { pathKey, type Tree } from "./layer.ts";
import { envName, formatKey, formatPath, type Spelling, unknownKey } from "./names.ts";
import type { Problem } from "./problem.ts";
import type { Rule } from "./rule.ts";
import { listSecrets } from "./secrets.ts";
import { fieldsOf, isNullable, isSecret, isTable, type Path, schemaAt } from "./walk.ts";

/** Merged settings on their way to be checked. */
export interface Unchecked {
  readonly input: Tree;
  readonly sourceOf: (path: Path) => string;
  readonly spelling: Spelling;
  readonly rules: readonly Rule[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Settings that could not be read: nothing more is said of them, and no rule builds on them. */
  readonly faulty: readonly Path[];
  /** Single values that could not be had: nothing more is said of them. */
  readonly unresolved: readonly Path[];
}

/** Checked settings. `config` is `undefined` exactly when there are problems. */
export interface Checked<Config> {
  readonly config: Config | undefined;
  readonly input: Tree;
  readonly sourceOf: (path: Path) => string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Checks merged settings by schema and by rules, and gathers everything that is wrong. */
export function validate<Schema extends z.ZodObject>(schema: Schema, unchecked: Unchecked): Checked<z.output<Schema>> {
  const { spelling } = unchecked;
  const derived = deriveSettings(schema, unchecked.input);
  const origins = new Map(derived.from.map(({ path, source }) => [pathKey(path), source]));
  /** The setting that a derived place follows from. */
  const originOf = (path: Path): Path | undefined => {
    for (let depth = path.length; depth > 0; depth--) {
      const origin = origins.get(pathKey(path.slice(0, depth)));
      if (origin) return origin;
    }
    return undefined;
  };
  const sourceOf = (path: Path): string => unchecked.sourceOf(originOf(path) ?? path);
  const hide = redactor(listSecrets(schema, derived.input).map(({ text }) => text));
  const problems = unchecked.problems.map(hide);
  const warnings = unchecked.warnings.map(hide);
  const settled = (path: Path): boolean =>
    [...unchecked.faulty, ...unchecked.unresolved].some((faulty) =>
      faulty.every((step, depth) => path[depth] === step),
    );
  const note = (list: Problem[], path: Path, setting: string, message: string): void => {
    if (!settled(path)) list.push(hide({ setting, source: sourceOf(path), message }));
  };
  const add = (list: Problem[], path: Path, message: string): void =>
    note(list, path, formatPath(schema, path, spelling), message);
  for (const { path, message } of derived.warnings) add(warnings, path, message);

  // Each setting at the top is parsed by itself, so that the rules can judge those that are in order.
  const parsed: Tree = {};
  const inOrder = new Set<string>();
  const faults: Fault[] = [];
  for (const [key, field] of fieldsOf(schema) ?? []) {
    const result = examine(field, derived.input[key], [key]);
    if ("value" in result) {
      if (!unchecked.faulty.some(([top]) => top === key)) inOrder.add(key);
      if (result.value !== undefined) parsed[key] = result.value;
    } else {
      faults.push(...result.faults);
    }
  }
  for (const fault of faults) {
    // What follows from a wrong setting is wrong as well; it is named once, where it was written.
    const [origin] = originOf(fault.path) ?? [];
    if (origin !== undefined && !inOrder.has(String(origin))) continue;
    note(problems, fault.path, faultySetting(schema, fault, spelling), faultMessage(schema, fault, spelling));
  }
  for (const rule of unchecked.rules) {
    if (!rule.needs.every((key) => inOrder.has(key))) continue;
    rule.check(parsed, {
      problem: (path, message) => add(problems, path, message),
      warn: (path, message) => add(warnings, path, message),
      name: (path) => formatPath(schema, path, spelling),
    });
  }
  // Each key was parsed with the schema's own field, so that together they are the schema's output.
  const config = problems.length === 0 ? (parsed as z.output<Schema>) : undefined;
  return { config, input: derived.input, sourceOf, problems, warnings };
}

function faultySetting(root: z.ZodType, fault: Fault, spelling: Spelling): string {
  if (fault.kind !== "unknown") return formatPath(root, fault.path, spelling);
  if (isOfAnotherKind(root, fault)) return formatPath(root, [...fault.path, fault.key], spelling);
  return formatKey(root, fault.path, fault.key, spelling);
}

/** Whether a key is refused only because another alternative of a union has it. */
const isOfAnotherKind = (root: z.ZodType, fault: Fault & { kind: "unknown" }): boolean =>
  fieldsOf(schemaAt(root, fault.path) ?? root)?.has(fault.key) ?? false;

function faultMessage(root: z.ZodType, fault: Fault, spelling: Spelling): string {
  if (fault.kind === "wrong") return fault.message;
  if (fault.kind === "unknown") {
    if (isOfAnotherKind(root, fault)) return "does not go with the other settings here; remove it";
    // What was read from a text has no unknown keys left: this one was written in code.
    return unknownKey(root, schemaAt(root, fault.path) ?? root, fault.path, fault.key, "camel");
  }
  const schema = schemaAt(root, fault.path);
  const name = formatPath(root, fault.path, spelling);
  const keys = ownKeys(root, fault.path);
  const variable =
    spelling === "snake" && keys && schema && !isTable(schema) ? `, or the variable ${envName(keys)}` : "";
  if (schema && isNullable(schema) && isSecret(schema)) {
    const none = spelling === "snake" ? `"none"` : "null";
    const value = spelling === "snake" ? "the secret, env:NAME or file:path" : "the secret";
    return `is missing: set ${name}${variable} to ${value}; for a public app client, which has no secret, to ${none}`;
  }
  return keys ? `is missing: set ${name}${variable}` : "is missing; add it";
}

/** The path if it leads through tables only, so that the setting has an environment variable. */
function ownKeys(root: z.ZodType, path: Path): readonly string[] | undefined {
  const keys: string[] = [];
  let at: z.ZodType | undefined = root;
  for (const step of path) {
    if (typeof step === "number" || !at || !isTable(at)) return undefined;
    at = fieldsOf(at)?.get(step);
    keys.push(step);
  }
  return keys;
}

/** Takes the values of secrets out of messages, should a schema or a rule have put one there. */
function redactor(secrets: readonly string[]): (problem: Problem) => Problem {
  // A shorter text would be found in many innocent words; no message of this room holds a secret anyway.
  const long = secrets.filter((secret) => secret.length >= 6);
  return (problem) => ({
    ...problem,
    message: long.reduce((message, secret) => message.replaceAll(secret, "••••"), problem.message),
  });
}
