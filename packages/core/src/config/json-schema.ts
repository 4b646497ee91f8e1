import { z } from "zod";
import { isTree, type Tree } from "./layer.ts";
import { snakeCase } from "./names.ts";
import { bare, fieldsOf, isTable } from "./walk.ts";

/**
 * The JSON Schema (2020-12) of the TOML form of the settings, for editors.
 * Settings that have an environment variable are never required, as they may stand there.
 */
export function configJsonSchema(schema: z.ZodObject): Record<string, unknown> {
  const tables = new Set<unknown>(tablesOf(schema));
  const generated = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (tables.has(zodSchema)) delete jsonSchema.required;
    },
  });
  const converted = convert(generated);
  return { title: "Settings of Sallyport (sallyport.toml)", ...(isTree(converted) ? converted : {}) };
}

/** The bare object schemas whose settings each have an environment variable. */
function tablesOf(schema: z.ZodType): z.ZodType[] {
  const within = [...(fieldsOf(schema)?.values() ?? [])].filter(isTable).flatMap(tablesOf);
  return [bare(schema), ...within];
}

/** Keys in snake_case, our own marks as JSON Schema has them, no `null`, which TOML does not know. */
function convert(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(convert);
  if (!isTree(node)) return node;
  const out: Tree = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "properties" && isTree(value)) {
      out[key] = Object.fromEntries(Object.entries(value).map(([name, child]) => [snakeCase(name), convert(child)]));
    } else if (key === "required" && Array.isArray(value)) {
      out[key] = value.map((name: unknown) => (typeof name === "string" ? snakeCase(name) : name));
    } else if (key === "default") {
      if (!isTree(value)) out[key] = value;
    } else if (key === "secret") {
      out.writeOnly = true;
    } else if (key !== "kind") {
      out[key] = convert(value);
    }
  }
  return withoutNull(out);
}

function withoutNull(node: Tree): Tree {
  const { anyOf, ...rest } = node;
  if (!Array.isArray(anyOf)) return node;
  const options = anyOf.filter((option) => !(isTree(option) && option.type === "null"));
  const [only] = options;
  if (options.length === 1 && isTree(only)) return { ...only, ...rest };
  return { ...rest, anyOf: options };
}
