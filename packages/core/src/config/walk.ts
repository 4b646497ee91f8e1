import { z } from "zod";

/** A place in the settings: keys as TypeScript has them (camelCase), indexes of lists as numbers. */
export type Path = readonly (string | number)[];

/** What a wrapper (optional, default, nullable, transform …) holds, on the side where values come in. */
function inner(schema: z.ZodType): z.ZodType | undefined {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch ||
    schema instanceof z.ZodNonOptional ||
    schema instanceof z.ZodLazy
  ) {
    return asType(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) {
    const from = asType(schema.in);
    // z.preprocess: the transform comes first and says nothing about the form of the value.
    return from instanceof z.ZodTransform ? asType(schema.out) : from;
  }
  return undefined;
}

const asType = (schema: unknown): z.ZodType | undefined => (schema instanceof z.ZodType ? schema : undefined);

/** The schema and everything wrapped in it, from the outside in. */
function layers(schema: z.ZodType): z.ZodType[] {
  const within = inner(schema);
  return within ? [schema, ...layers(within)] : [schema];
}

/** The schema without its wrappers. */
export const bare = (schema: z.ZodType): z.ZodType => layers(schema).at(-1) ?? schema;

/** The bare alternatives of a union, or the one bare schema. */
export function alternatives(schema: z.ZodType): z.ZodType[] {
  const core = bare(schema);
  if (!(core instanceof z.ZodUnion)) return [core];
  return core.options.flatMap((option) => (option instanceof z.ZodType ? alternatives(option) : []));
}

/** The fields of an object, or of all the objects of a union together; `undefined` if it cannot be an object. */
export function fieldsOf(schema: z.ZodType): ReadonlyMap<string, z.ZodType> | undefined {
  let fields: Map<string, z.ZodType> | undefined;
  for (const option of alternatives(schema)) {
    if (!(option instanceof z.ZodObject)) continue;
    fields ??= new Map();
    for (const [key, value] of Object.entries(option.shape)) {
      if (!(value instanceof z.ZodType)) continue;
      const other = fields.get(key);
      fields.set(key, other ? z.union([other, value]) : value);
    }
  }
  return fields;
}

/** The value schema of a record; `undefined` if it cannot be one. */
export function recordOf(schema: z.ZodType): z.ZodType | undefined {
  const record = alternatives(schema).find((option) => option instanceof z.ZodRecord);
  return record && asType(record.valueType);
}

/** The element schema of a list; `undefined` if it cannot be one. */
export function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const array = alternatives(schema).find((option) => option instanceof z.ZodArray);
  return array && asType(array.element);
}

/** The schema at a place; `undefined` where the schema knows none. */
export function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const step of path) {
    if (!at) return undefined;
    at = typeof step === "number" ? elementOf(at) : (fieldsOf(at)?.get(step) ?? recordOf(at));
  }
  return at;
}

/** Whether `null` may be given. */
export const isNullable = (schema: z.ZodType): boolean =>
  layers(schema).some((layer) => layer instanceof z.ZodNullable) ||
  alternatives(schema).some((option) => option instanceof z.ZodNull);

/** Whether the value is marked `meta({ secret: true })`, at any wrapper or alternative. */
export const isSecret = (schema: z.ZodType): boolean => metaOf(schema, "secret") === true;

/** The doc text; the outermost counts. */
export function describe(schema: z.ZodType): string {
  const text = metaOf(schema, "description");
  return typeof text === "string" ? text : "";
}

/** What `values.ts` says the value is, such as `duration`. */
export function kindOf(schema: z.ZodType): string | undefined {
  const kind = metaOf(schema, "kind");
  return typeof kind === "string" ? kind : undefined;
}

/** What the schema is marked with, at any wrapper or alternative; the outermost counts. */
export function metaOf(schema: z.ZodType, key: string): unknown {
  for (const layer of [...layers(schema), ...alternatives(schema).flatMap(layers)]) {
    const value = layer.meta()?.[key];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The default as it would be written, `undefined` if there is none. */
export function defaultOf(schema: z.ZodType): unknown {
  for (const layer of layers(schema)) {
    if (layer instanceof z.ZodDefault || layer instanceof z.ZodPrefault) return layer.def.defaultValue;
  }
  return undefined;
}

/** Whether it may be left out without a table being made for it. */
const isOptionalTable = (schema: z.ZodType): boolean =>
  layers(schema).some((layer) => layer instanceof z.ZodOptional || layer instanceof z.ZodDefault);

/** Whether the schema is a plain table of named settings, each of which can be set on its own. */
export const isTable = (schema: z.ZodType): boolean => bare(schema) instanceof z.ZodObject;

/** A setting that can be set on its own: by its key in the file and by its own environment variable. */
export interface Setting {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
}

/** Every setting of a schema, in its order. Tables are descended into; lists and records are one setting each. */
export function listSettings(schema: z.ZodType, path: readonly string[] = []): Setting[] {
  return [...(fieldsOf(schema) ?? [])].flatMap(([key, field]) =>
    isTable(field) ? listSettings(field, [...path, key]) : [{ path: [...path, key], schema: field }],
  );
}

/** The tables that are always there, so that each missing setting in them is named by itself. */
export function listRequiredTables(schema: z.ZodType, path: readonly string[] = []): (readonly string[])[] {
  return [...(fieldsOf(schema) ?? [])].flatMap(([key, field]) =>
    isTable(field) && !isOptionalTable(field) ? [[...path, key], ...listRequiredTables(field, [...path, key])] : [],
  );
}
