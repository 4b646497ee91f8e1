import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { fromText, notATable, type TextEvents } from "./from-text.ts";
import { type Assigned, isTree, type Layer, pathKey } from "./layer.ts";
import { formatKey, formatPath, snakeCase, unknownKey } from "./names.ts";
import type { Problem } from "./problem.ts";
import { ConfigError } from "./problem.ts";
import { tomlLines } from "./toml-lines.ts";
import { fieldsOf, isTable, type Path, schemaAt } from "./walk.ts";

/**
 * Reads the settings of a TOML text.
 * @param name what the file is called in messages
 * @throws ConfigError if the text is not TOML, with line and column
 */
export function fromFile(schema: z.ZodType, text: string, name: string): Layer {
  const tree = parseToml(text, name);
  const lineOf = tomlLines(text);
  const sourceAt = (raw: Path): string => {
    const line = lineOf(raw);
    return line === undefined ? name : `${name}:${line}`;
  };

  const sources = new Map<string, string>();
  const problems: Problem[] = [];
  const faulty: Path[] = [];
  const settings = new Map<string, Assigned>();
  const tables: Path[] = [];
  const source = (path: Path): string => {
    for (let depth = path.length; depth > 0; depth--) {
      const found = sources.get(pathKey(path.slice(0, depth)));
      if (found !== undefined) return found;
    }
    return name;
  };
  const unknown = (table: z.ZodType, path: Path, key: string, raw: Path): void => {
    const message = unknownKey(schema, table, path, key, "snake");
    problems.push({ setting: formatKey(schema, path, key, "snake"), source: sourceAt(raw), message });
  };
  const events: TextEvents = {
    seen: (path, raw) => sources.set(pathKey(path), sourceAt(raw)),
    unknown: (path, key, raw) => unknown(schemaAt(schema, path) ?? schema, path, key, raw),
  };

  const readTable = (at: z.ZodType, value: unknown, path: Path, raw: Path): void => {
    if (!isTree(value)) {
      problems.push({ setting: formatPath(schema, path, "snake"), source: sourceAt(raw), message: notATable(value) });
      faulty.push(path);
      return;
    }
    tables.push(path);
    const bySpelling = new Map([...(fieldsOf(at) ?? [])].map(([key, field]) => [snakeCase(key), { key, field }]));
    for (const [written, item] of Object.entries(value)) {
      const known = bySpelling.get(written);
      const there = [...raw, written];
      if (!known) {
        unknown(at, path, written, there);
        continue;
      }
      const here = [...path, known.key];
      if (isTable(known.field)) readTable(known.field, item, here, there);
      else settings.set(pathKey(here), { value: fromText(known.field, item, here, there, events), source });
    }
  };
  readTable(schema, tree, [], []);
  return { settings, tables, problems, warnings: [], faulty };
}

function parseToml(text: string, name: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The rest of the parser's message quotes the text, and a secret may stand there.
    const first = error.message.split("\n", 1)[0] ?? "";
    const message = first.replace(/^Invalid TOML document: /, "");
    throw new ConfigError([
      {
        setting: name,
        source: `${name}:${error.line}:${error.column}`,
        message: `is not valid TOML: ${message} (line ${error.line}, column ${error.column})`,
      },
    ]);
  }
}
