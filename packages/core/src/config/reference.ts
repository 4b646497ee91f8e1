import { z } from "zod";
import { aliasOf } from "./from-environment.ts";
import { envName, formatPath, snakeCase } from "./names.ts";
import {
  alternatives,
  bare,
  defaultOf,
  describe,
  elementOf,
  fieldsOf,
  isNullable,
  isSecret,
  isTable,
  kindOf,
  recordOf,
} from "./walk.ts";

interface Row {
  readonly setting: string;
  readonly type: string;
  readonly preset: string;
  readonly variables: readonly string[];
  readonly text: string;
}

/** The Markdown reference of all settings: a table of those at the top, then one for each table of settings. */
export function settingsReference(schema: z.ZodObject): string {
  const top: Row[] = [];
  const parts: string[] = [];
  for (const [key, field] of fieldsOf(schema) ?? []) {
    if (isTable(field)) {
      const heading = `## \`[${snakeCase(key)}]\``;
      parts.push([heading, describe(field), table(tableRows(schema, field, [key]))].filter(Boolean).join("\n\n"));
      continue;
    }
    top.push(row(formatPath(schema, [key], "snake"), field, [key]));
    const nested = nestedRows(field, snakeCase(key));
    if (nested.length === 0) continue;
    parts.push([`## \`${snakeCase(key)}\``, describe(field), table(nested)].filter(Boolean).join("\n\n"));
  }
  return `${[table(top), ...parts].join("\n\n")}\n`;
}

function tableRows(root: z.ZodType, schema: z.ZodType, path: readonly string[]): Row[] {
  return [...(fieldsOf(schema) ?? [])].flatMap(([key, field]) => {
    const here = [...path, key];
    if (isTable(field)) return tableRows(root, field, here);
    const name = formatPath(root, here, "snake");
    return [row(name, field, here), ...nestedRows(field, name)];
  });
}

/** What stands in the elements of a list or the entries of a record; it has no variables of its own. */
function nestedRows(schema: z.ZodType, name: string): Row[] {
  const element = elementOf(schema);
  const entry = recordOf(schema);
  const fields = fieldsOf(schema);
  if (element) return nestedRows(element, `${name}[]`);
  if (entry) return nestedRows(entry, `${name}.<name>`);
  if (!fields) return [];
  return [...fields].flatMap(([key, field]) => {
    const here = `${name}.${snakeCase(key)}`;
    return isTable(field) ? nestedRows(field, here) : [row(here, field), ...nestedRows(field, here)];
  });
}

function row(setting: string, schema: z.ZodType, path?: readonly string[]): Row {
  const variable = path && envName(path);
  const alias = variable === undefined ? undefined : aliasOf(variable);
  return {
    setting,
    type: typeText(schema),
    preset: presetText(schema),
    variables: [variable, alias].filter((name) => name !== undefined),
    text: describe(schema),
  };
}

function presetText(schema: z.ZodType): string {
  const preset = defaultOf(schema);
  if (preset !== undefined) return `\`${typeof preset === "string" ? preset : JSON.stringify(preset)}\``;
  return schema.safeParse(undefined).success ? "" : "required";
}

function typeText(schema: z.ZodType): string {
  const kind = kindOf(schema);
  if (isSecret(schema)) return isNullable(schema) ? "secret, or `none`" : "secret";
  if (kind !== undefined) return kind === "url" ? "URL" : kind;
  const types = alternatives(schema).map(bareTypeText);
  return [...new Set(types)].filter((type) => type !== "").join(" or ");
}

function bareTypeText(schema: z.ZodType): string {
  if (schema instanceof z.ZodArray) {
    const element = elementOf(schema);
    const of = element ? typeText(element) : "";
    return of === "" ? "list" : `list of ${of.replace(/^(text|table|secret|scope)$/, "$1s")}`;
  }
  if (schema instanceof z.ZodRecord) {
    const entry = recordOf(schema);
    return `table of name → ${entry ? typeText(entry) : "value"}`;
  }
  if (schema instanceof z.ZodObject) return "table";
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral) {
    const values = schema instanceof z.ZodEnum ? schema.options : [...schema.values];
    return values.map((value) => `\`${String(value)}\``).join(" or ");
  }
  if (schema instanceof z.ZodBoolean) return "`true` or `false`";
  if (schema instanceof z.ZodNumberFormat) return "whole number";
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodNull) return "";
  return bare(schema) instanceof z.ZodString ? "text" : "value";
}

function table(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/\s*\n\s*/g, " ");
  const lines = rows.map(({ setting, type, preset, variables, text }) => {
    const names = variables.map((name) => `\`${name}\``).join(", ");
    return `| ${[`\`${setting}\``, type, preset, names, text].map(cell).join(" | ")} |`;
  });
  return ["| Setting | Type | Default | Environment | Description |", "| --- | --- | --- | --- | --- |", ...lines].join(
    "\n",
  );
}
