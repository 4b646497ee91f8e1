import type { z } from "zod";
import type { Problem } from "./problem.ts";
import type { Path } from "./walk.ts";
import { listRequiredTables, listSettings } from "./walk.ts";

/** A setting's value in one place where settings are written. */
export interface Assigned {
  readonly value: unknown;
  /** Where the value, or the part of it at this (whole) path, stands. */
  readonly source: (path: Path) => string;
}

/** All that one place (the file, the environment, the code) says. Keys of the map are `pathKey`s. */
export interface Layer {
  readonly settings: ReadonlyMap<string, Assigned>;
  /** Tables that are written down, though perhaps empty. */
  readonly tables: readonly Path[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Settings that are given but unreadable: their absence is not to be complained about as well. */
  readonly faulty: readonly Path[];
}

/** A place as a key of a map. */
export const pathKey = (path: Path): string => JSON.stringify(path);

export type Tree = Record<string, unknown>;

/** Whether a value is a table: an object, but no list and no class instance such as a date. */
export function isTree(value: unknown): value is Tree {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** What to call a value in a message, never the value itself. */
export function typeWord(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  switch (typeof value) {
    case "string":
      return "a text";
    case "number":
    case "bigint":
      return "a number";
    case "boolean":
      return "true or false";
    case "object":
      return "a table";
    default:
      return `a ${typeof value}`;
  }
}

/** The value at a place, `undefined` if there is none. */
export function valueAt(tree: unknown, path: Path): unknown {
  let at: unknown = tree;
  for (const step of path) {
    if (typeof step === "number") at = Array.isArray(at) ? at[step] : undefined;
    else at = isTree(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }
  return at;
}

/** A copy of the tree with another value at a place; tables on the way are made. */
export function withValue(tree: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    const list: unknown[] = Array.isArray(tree) ? [...tree] : [];
    list[step] = withValue(list[step], rest, value);
    return list;
  }
  const table: Tree = isTree(tree) ? tree : {};
  return { ...table, [step]: withValue(Object.hasOwn(table, step) ? table[step] : undefined, rest, value) };
}

/** What all layers say together. */
export interface MergedLayers {
  readonly input: Tree;
  readonly sourceOf: (path: Path) => string;
}

/**
 * Puts layers over each other. Tables are merged setting by setting; a list or a record is one setting and is replaced
 * as a whole, so that what stands in one place can be read there.
 * @param layers the least important first
 */
export function mergeLayers(schema: z.ZodType, layers: readonly Layer[]): MergedLayers {
  const chosen = new Map<string, Assigned>();
  for (const layer of layers) for (const [key, assigned] of layer.settings) chosen.set(key, assigned);

  let tree: unknown = {};
  for (const table of [...listRequiredTables(schema), ...layers.flatMap((layer) => layer.tables)]) {
    tree = withValue(tree, table, valueAt(tree, table) ?? {});
  }
  for (const { path } of listSettings(schema)) {
    const assigned = chosen.get(pathKey(path));
    if (assigned) tree = withValue(tree, path, assigned.value);
  }
  return {
    input: isTree(tree) ? tree : {},
    sourceOf: (path) => {
      for (let depth = path.length; depth > 0; depth--) {
        const assigned = chosen.get(pathKey(path.slice(0, depth)));
        if (assigned) return assigned.source(path);
      }
      return "default";
    },
  };
}
