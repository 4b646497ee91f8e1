import { readFile } from "node:fs/promises";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";
import { checkPool, problemsOf } from "./check-pool.ts";
import { ConfigError } from "./config-error.ts";
import type { PoolConfig } from "./pool-config.ts";

const fileShape = z.strictObject({
  port: z.number().int().min(0).max(65_535).optional(),
  hostname: z.string().min(1).optional(),
  baseUrl: z.string().min(1).optional(),
  issuer: z.string().min(1).optional(),
  pool: z.custom<PoolConfig>((value) => value !== undefined, { error: "is needed" }),
});

/** What a configuration file may hold. */
export type ConfigFile = z.output<typeof fileShape>;

/**
 * Reads a configuration file, TOML or (by its ending) JSON. Settings are written in snake_case there.
 * @throws ConfigError with every problem, spelled as in the file
 */
export async function loadConfigFile(file: string): Promise<ConfigFile> {
  const source = `file ${file}`;
  const text = await readFile(file, "utf8").catch(() => {
    throw new ConfigError([{ path: "", message: "it cannot be read" }], source);
  });
  try {
    const data = fromFileSpelling(file.endsWith(".json") ? parseJson(text) : readToml(text));
    const shape = fileShape.safeParse(data);
    const problems = shape.success ? [] : problemsOf(shape.error);
    const pool = z.looseObject({ pool: z.unknown() }).safeParse(data).data?.pool;
    if (pool !== undefined) problems.push(...poolProblems(pool));
    if (!shape.success || problems.length > 0) throw new ConfigError(problems);
    return shape.data;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(({ path, message }) => ({ path: toSnakeCase(path), message }));
    throw new ConfigError(problems, source);
  }
}

function poolProblems(pool: unknown): ConfigError["problems"] {
  try {
    checkPool(pool);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

// The parsers' own messages quote the text around the fault, which may be a password.
function readToml(text: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError([{ path: "", message: `it is not TOML: see line ${error.line}, column ${error.column}` }]);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ConfigError([{ path: "", message: "it is not JSON" }]);
  }
}

/** `callback_urls` to `callbackUrls`; the names of a user's attributes stay as they are. */
function fromFileSpelling(value: unknown): unknown {
  const problems: { path: string; message: string }[] = [];
  const convert = (node: unknown, path: string): unknown => {
    if (Array.isArray(node)) return node.map((item, index) => convert(item, `${path}[${index}]`));
    if (typeof node !== "object" || node === null || node instanceof Date) return node;
    const entries = Object.entries(node).map(([key, member]): [string, unknown] => {
      const place = path === "" ? key : `${path}.${key}`;
      if (/[A-Z]/.test(key)) problems.push({ path, message: `${key} is written ${toSnakeCase(key)} in a file` });
      return [toCamelCase(key), key === "attributes" ? member : convert(member, place)];
    });
    return Object.fromEntries(entries);
  };
  const converted = convert(value, "");
  if (problems.length > 0) throw new ConfigError(problems);
  return converted;
}

function toCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()).replace("Oauth", "OAuth");
}

function toSnakeCase(name: string): string {
  // A quoted part is the name of an attribute.
  return name
    .replace("OAuth", "Oauth")
    .replace(/\["[^"]*"\]|[A-Z]/g, (part) => (part.startsWith("[") ? part : `_${part.toLowerCase()}`));
}
