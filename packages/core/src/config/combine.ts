import { z } from "zod";
import { envName } from "./names.ts";
import { listSettings } from "./walk.ts";

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
 * One strict schema out of the sections that the packages own.
 * @throws Error if two sections own the same key, or two settings would have the same environment variable:
 *   a fault in the program, not in anybody's configuration.
 */
export function combine<const Sections extends readonly z.ZodObject[]>(
  sections: Sections,
): z.ZodObject<CombinedShape<Sections>, z.core.$strict> {
  const shape: Record<string, z.core.SomeType> = {};
  for (const section of sections) {
    for (const [key, schema] of Object.entries(section.shape)) {
      if (Object.hasOwn(shape, key)) throw new Error(`two sections own the setting ${key}`);
      shape[key] = schema;
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
