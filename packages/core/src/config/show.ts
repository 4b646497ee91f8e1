import type { z } from "zod";
import { isTree, valueAt } from "./layer.ts";
import type { Loaded } from "./load.ts";
import { formatPath } from "./names.ts";
import { defaultOf, elementOf, fieldsOf, isSecret, listSettings, type Path, recordOf } from "./walk.ts";

/** A line of `sallyport config show`. */
export interface ShownSetting {
  /** `cognito.user_pool_id`, `resources[0].path`. */
  readonly setting: string;
  /** As it would be written; `••••` for a secret, whatever its length. */
  readonly value: string;
  readonly source: string;
}

const mask = "••••";

/** Every setting that has a value, with the source of each. Settings without value and default are left out. */
export function showConfig(loaded: Pick<Loaded, "schema" | "input" | "sourceOf">): ShownSetting[] {
  const { schema, input, sourceOf } = loaded;
  const rows: ShownSetting[] = [];

  const show = (at: z.ZodType, given: unknown, path: Path): void => {
    const value = given ?? (given === null ? null : defaultOf(at));
    if (value === undefined) return;
    const row = (text: string): void => {
      const source = given === undefined ? "default" : sourceOf(path);
      rows.push({ setting: formatPath(schema, path, "snake"), value: text, source });
    };
    const element = elementOf(at);
    if (value !== null && hasSecret(at)) row(isEmpty(value) ? "[]" : mask);
    else if (Array.isArray(value) && element && value.some((item) => typeof item === "object")) {
      value.forEach((item, index) => {
        show(element, item, [...path, index]);
      });
    } else if (isTree(value)) {
      const fields = fieldsOf(at);
      const record = recordOf(at);
      if (fields) for (const [key, field] of fields) show(field, value[key], [...path, key]);
      else if (record && !isEmpty(value))
        for (const [key, item] of Object.entries(value)) show(record, item, [...path, key]);
      else row(written(value));
    } else row(written(value));
  };
  for (const setting of listSettings(schema)) show(setting.schema, valueAt(input, setting.path), setting.path);
  return rows;
}

/** Whether the value itself, or each text of a list, is secret. */
const hasSecret = (schema: z.ZodType): boolean => {
  const element = elementOf(schema);
  return isSecret(schema) || (element !== undefined && isSecret(element));
};

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isTree(value) && Object.keys(value).length === 0;

function written(value: unknown): string {
  if (value === null) return "none";
  if (typeof value !== "string") return JSON.stringify(value);
  // A URL may hold a password, be it where no URL with one is accepted.
  return value.replace(/(\/\/[^/@\s:]*):[^/@\s]*@/, `$1:${mask}@`);
}
