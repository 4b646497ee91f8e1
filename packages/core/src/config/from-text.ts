import type { z } from "zod";
import { isTree, typeWord } from "./layer.ts";
import { snakeCase } from "./names.ts";
import type { Path } from "./walk.ts";
import { elementOf, fieldsOf, isNullable, recordOf } from "./walk.ts";

/** What a reader of written settings (TOML, or JSON in a variable) tells about what it meets. */
export interface TextEvents {
  /** A value at `path` was read; `raw` is the same place as it is spelled in the text. */
  readonly seen: (path: Path, raw: Path) => void;
  /** The table at `path` has a key that no setting has; `raw` is the place of the key in the text. */
  readonly unknown: (path: Path, key: string, raw: Path) => void;
}

/**
 * Turns a written value into the form the schema takes: keys of objects from snake_case to camelCase, names of records
 * (groups, scopes, clients) untouched, `"none"` to `null` where `null` may be given.
 * Keys that the schema does not know are reported and left out; everything else is left for the schema to judge.
 */
export function fromText(schema: z.ZodType, value: unknown, path: Path, raw: Path, events: TextEvents): unknown {
  events.seen(path, raw);
  if (value === "none" && isNullable(schema)) return null;
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    if (!element) return value;
    return value.map((item, index) => fromText(element, item, [...path, index], [...raw, index], events));
  }
  if (!isTree(value)) return value;
  const fields = fieldsOf(schema);
  if (fields) {
    const entries: [string, unknown][] = [];
    const bySpelling = new Map([...fields].map(([key, field]) => [snakeCase(key), { key, field }]));
    for (const [written, item] of Object.entries(value)) {
      const known = bySpelling.get(written);
      if (known) {
        entries.push([known.key, fromText(known.field, item, [...path, known.key], [...raw, written], events)]);
      } else {
        events.unknown(path, written, [...raw, written]);
      }
    }
    return Object.fromEntries(entries);
  }
  const record = recordOf(schema);
  if (!record) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      fromText(record, item, [...path, name], [...raw, name], events),
    ]),
  );
}

/** What to say when a table of settings is something else. */
export const notATable = (value: unknown): string => `must be a table, not ${typeWord(value)}`;
