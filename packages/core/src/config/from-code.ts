import type { z } from "zod";
import { notATable } from "./from-text.ts";
import { type Assigned, isTree, type Layer, pathKey } from "./layer.ts";
import { formatKey, formatPath, type Spelling, unknownKey } from "./names.ts";
import type { Problem } from "./problem.ts";
import { fieldsOf, isTable, type Path } from "./walk.ts";

const source = (): string => "code";

/** Reads settings given as a TypeScript object (camelCase). What is `undefined` counts as left out. */
export function fromCode(schema: z.ZodType, given: unknown, spelling: Spelling): Layer {
  const settings = new Map<string, Assigned>();
  const tables: Path[] = [];
  const problems: Problem[] = [];
  const faulty: Path[] = [];

  const readTable = (at: z.ZodType, value: unknown, path: Path): void => {
    if (!isTree(value)) {
      problems.push({ setting: formatPath(schema, path, spelling), source: "code", message: notATable(value) });
      faulty.push(path);
      return;
    }
    tables.push(path);
    const fields = fieldsOf(at);
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      const here = [...path, key];
      const field = fields?.get(key);
      if (!field) {
        const message = unknownKey(schema, at, path, key, "camel");
        problems.push({ setting: formatKey(schema, path, key, spelling), source: "code", message });
      } else if (isTable(field)) readTable(field, item, here);
      else settings.set(pathKey(here), { value: item, source });
    }
  };
  readTable(schema, given, []);
  return { settings, tables, problems, warnings: [], faulty };
}
