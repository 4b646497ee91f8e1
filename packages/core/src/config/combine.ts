import { z } from "zod";
import { isTree } from "./layer.ts";
import { envName } from "./names.ts";
import { bare, defaultOf, describe, listSettings, metaOf, recordOf } from "./walk.ts";

type Merged<Sections extends readonly z.ZodObject[]> = Sections extends readonly [
  infer First extends z.ZodObject,
  ...infer Rest extends readonly z.ZodObject[],
]
  ? First["shape"] & Merged<Rest>
  : unknown;

/** The shape of several sections as one. */
export type CombinedShape<Sections extends readonly z.ZodObject[]> =
  Merged<Sections> extends infer Shape extends z.core.$ZodShape ? { [Key in keyof Shape]: Shape[Key] } : never;

/**
 * A key of a section that adds fields to each entry of another section's table: with `scopes: entryFields({ allow })`,
 * `[scopes."name"]` takes `allow` beside what its owner reads there.
 */
export const entryFields = <Fields extends z.core.$ZodLooseShape>(fields: Fields) =>
  z.record(z.string(), z.strictObject(fields)).default({}).meta({ entryFields: true });

const addsFields = (schema: z.core.SomeType): boolean =>
  schema instanceof z.ZodType && metaOf(schema, "entryFields") === true;

/** The owner's table with the further fields in each entry. */
function extended(key: string, owner: z.core.SomeType, further: z.core.SomeType): z.ZodType {
  const table = owner instanceof z.ZodType ? bare(owner) : undefined;
  const entry = table && recordOf(table);
  const fields = further instanceof z.ZodType ? recordOf(further) : undefined;
  if (!(table instanceof z.ZodRecord && entry instanceof z.ZodObject && fields instanceof z.ZodObject)) {
    throw new Error(`the setting ${key} has no entries that could take further fields`);
  }
  const twice = Object.keys(fields.shape).find((name) => Object.hasOwn(entry.shape, name));
  if (twice !== undefined) throw new Error(`two sections own the setting ${key}.<name>.${twice}`);
  const whole = z.record(table.keyType, entry.safeExtend(fields.shape));
  if (!(owner instanceof z.ZodType)) return whole;
  const preset = defaultOf(owner);
  if (isTree(preset) && Object.keys(preset).length > 0)
    throw new Error(`the entries that ${key} has by default would go`);
  return (preset === undefined ? whole : whole.default({})).describe(describe(owner));
}

/**
 * One strict schema out of the sections that the packages own.
 * @throws Error if two sections own the same key (but for `entryFields`), or two settings would have the same environment variable:
 *   a fault in the program, not in anybody's configuration.
 */
export function combine<const Sections extends readonly z.ZodObject[]>(
  sections: Sections,
): z.ZodObject<CombinedShape<Sections>, z.core.$strict> {
  const shape: Record<string, z.core.SomeType> = {};
  for (const section of sections) {
    for (const [key, schema] of Object.entries(section.shape)) {
      const owner = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (owner === undefined) shape[key] = schema;
      else if (addsFields(schema)) shape[key] = extended(key, owner, schema);
      else throw new Error(`two sections own the setting ${key}`);
    }
  }
  const combined = z.strictObject(shape);
  const variables = new Map<string, string>();
  for (const { path } of listSettings(combined)) {
    const name = envName(path);
    const other = variables.get(name);
    if (other !== undefined) throw new Error(`the settings ${other} and ${path.join(".")} share the variable ${name}`);
    variables.set(name, path.join("."));
  }
  // The loop put exactly the sections' keys together; no check at run time could tell the compiler so.
  return combined as unknown as z.ZodObject<CombinedShape<Sections>, z.core.$strict>;
}
