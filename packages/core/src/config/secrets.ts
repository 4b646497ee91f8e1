import { dirname, resolve } from "node:path";
import type { z } from "zod";
import type { Environment } from "./from-environment.ts";
import { isTree, type Tree, withValue } from "./layer.ts";
import { elementOf, fieldsOf, isNullable, isSecret, type Path, recordOf, schemaAt } from "./walk.ts";

/**
 * Reads a text file. `mode` holds its permission bits, absent where the system has none.
 * Rejects with an error whose `code` says why (`ENOENT`, `EACCES` …).
 */
export type ReadFile = (path: string) => Promise<{ readonly text: string; readonly mode?: number }>;

/** A secret setting that is given as a text. */
export interface GivenSecret {
  readonly path: Path;
  readonly text: string;
}

/** Every text in the settings that the schema marks as secret. */
export function listSecrets(schema: z.ZodType, value: unknown, path: Path = [], within = false): GivenSecret[] {
  const secret = within || isSecret(schema);
  if (typeof value === "string") return secret ? [{ path, text: value }] : [];
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    return element ? value.flatMap((item, index) => listSecrets(element, item, [...path, index], secret)) : [];
  }
  if (!isTree(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const field = fieldsOf(schema)?.get(key) ?? recordOf(schema);
    return field ? listSecrets(field, item, [...path, key], secret) : [];
  });
}

/** Whether a text is `env:NAME` or `file:path`, which stand for a secret that is kept elsewhere. */
export const isReference = (text: string): boolean => /^(?:env|file):/.test(text);

/** What became of the references among the secrets. */
export interface ResolvedSecrets {
  readonly input: Tree;
  readonly problems: readonly { readonly path: Path; readonly message: string }[];
  readonly warnings: readonly { readonly path: Path; readonly message: string }[];
}

/**
 * Puts the secrets in the place of the references to them: `env:NAME` is an environment variable, `file:path` a file,
 * relative to the folder of the configuration file, without its last line break.
 * @param from.file the configuration file; the working folder counts when there is none
 */
export async function resolveSecrets(
  schema: z.ZodType,
  input: Tree,
  from: { readonly env: Environment; readonly file: string | undefined; readonly readFile: ReadFile },
): Promise<ResolvedSecrets> {
  const problems: { path: Path; message: string }[] = [];
  const warnings: { path: Path; message: string }[] = [];
  let resolved: unknown = input;
  for (const { path, text } of listSecrets(schema, input)) {
    if (!isReference(text)) continue;
    const found = text.startsWith("env:")
      ? fromVariable(text.slice("env:".length), from.env)
      : await fromSecretFile(text.slice("file:".length), from.file, from.readFile);
    if (found.warning !== undefined) warnings.push({ path, message: found.warning });
    if (found.secret === undefined) {
      problems.push({ path, message: found.problem ?? "cannot be read" });
      continue;
    }
    const at = schemaAt(schema, path);
    resolved = withValue(resolved, path, found.secret === "none" && at && isNullable(at) ? null : found.secret);
  }
  return { input: isTree(resolved) ? resolved : input, problems, warnings };
}

interface Found {
  readonly secret?: string;
  readonly problem?: string;
  readonly warning?: string;
}

function fromVariable(name: string, env: Environment): Found {
  // What is no name may be a secret that happens to begin with env:, so it is not repeated.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { problem: "write env:NAME with the name of a variable" };
  const secret = env[name];
  if (secret) return { secret };
  return { problem: `the environment variable ${name} is ${secret === "" ? "empty" : "not set"}; set it` };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "no permission to read it",
  EPERM: "no permission to read it",
  EISDIR: "it is a folder",
};

/** Why a file could not be read, without the text of the system's own message. */
export function whyUnreadable(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? (reasons[code] ?? code) : "it cannot be read";
}

async function fromSecretFile(path: string, config: string | undefined, readFile: ReadFile): Promise<Found> {
  if (path === "") return { problem: "write file:path with the path of a file" };
  const whole = config === undefined ? resolve(path) : resolve(dirname(config), path);
  let file: Awaited<ReturnType<ReadFile>>;
  try {
    file = await readFile(whole);
  } catch (error) {
    return { problem: `the file ${path} cannot be read: ${whyUnreadable(error)}` };
  }
  const secret = file.text.replace(/\r?\n$/, "");
  if (secret === "") return { problem: `the file ${path} is empty` };
  if (file.mode === undefined || (file.mode & 0o077) === 0) return { secret };
  return { secret, warning: `other users can read the file ${path}; chmod 600 it` };
}
