import type { z } from "zod";
import type { Path } from "./walk.ts";
import { elementOf, fieldsOf, listSettings, recordOf } from "./walk.ts";

/** How a setting is spelled: `snake` in TOML and for people at a terminal, `camel` in TypeScript. */
export type Spelling = "snake" | "camel";

/** `baseUrl` → `base_url`. */
export const snakeCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A key of an object as it is written in that spelling. */
const spellKey = (key: string, spelling: Spelling): string => (spelling === "snake" ? snakeCase(key) : key);

/** The environment variable of a setting: `["tokens", "accessTtl"]` → `SALLYPORT_TOKENS_ACCESS_TTL`. */
export const envName = (path: readonly string[]): string =>
  `SALLYPORT_${path.map((key) => snakeCase(key).toUpperCase()).join("_")}`;

/**
 * A place in the settings as people write it: `cognito.user_pool_id`, `resources[0].path`, `scopes."mcp/read".includes`.
 * Names that a person chose (of groups, scopes, clients) stay as they are.
 */
export function formatPath(schema: z.ZodType, path: Path, spelling: Spelling): string {
  let at: z.ZodType | undefined = schema;
  let text = "";
  for (const step of path) {
    if (typeof step === "number") {
      text += `[${step}]`;
      at = at && elementOf(at);
      continue;
    }
    const field: z.ZodType | undefined = at && fieldsOf(at)?.get(step);
    const key = field ? spellKey(step, spelling) : step;
    text += `${text === "" ? "" : "."}${bareOrQuoted(key)}`;
    at = field ?? (at && recordOf(at));
  }
  return text;
}

/** A key as it was written, known or not, after the path of the table that it stands in. */
export function formatKey(schema: z.ZodType, table: Path, key: string, spelling: Spelling): string {
  const before = formatPath(schema, table, spelling);
  return `${before}${before === "" ? "" : "."}${bareOrQuoted(key)}`;
}

const bareOrQuoted = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The candidate that was probably meant, if one is near enough. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(plain(name).length / 3)) + 1;
  for (const candidate of candidates) {
    const far = distance(plain(name), plain(candidate));
    if (far < least && far < plain(candidate).length) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

/** How many letters to add, drop, change or exchange with their neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** What to say of a key that no setting has. `at` is the table it stands in, `where` that table's path. */
export function unknownKey(root: z.ZodType, at: z.ZodType, where: Path, key: string, spelling: Spelling): string {
  const sibling = nearest(
    key,
    [...(fieldsOf(at)?.keys() ?? [])].map((name) => spellKey(name, spelling)),
  );
  if (sibling !== undefined) {
    return `is not a setting; did you mean ${formatKey(root, where, sibling, spelling)}?`;
  }
  const elsewhere = listSettings(root).find((setting) => plain(setting.path.at(-1) ?? "") === plain(key));
  if (elsewhere) return `is not a setting here; did you mean ${formatPath(root, elsewhere.path, spelling)}?`;
  return "is not a setting; remove it";
}
