import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { valueAt } from "./layer.ts";
import { formatPath } from "./names.ts";
import type { Problem } from "./problem.ts";
import { listSettings, type Path } from "./walk.ts";

/** A setting that is another than before. */
export interface ChangedSetting {
  readonly path: Path;
  /** As it is written in a file: `cognito.client_secret`. */
  readonly name: string;
}

/**
 * The settings that differ between two checked configurations, in the order of the schema. A list or a record is one
 * setting.
 */
export function changedSettings(schema: z.ZodObject, before: object, after: object): readonly ChangedSetting[] {
  return listSettings(schema)
    .filter(({ path }) => !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)))
    .map(({ path }) => ({ path, name: formatPath(schema, path, "snake") }));
}

/**
 * Settings that may change while the process runs: a whole table by its name (`["limits"]`), or a single setting. Whatever
 * is not listed is read once, at the start.
 */
export const liveCoreSettings: readonly Path[] = [
  ["resources"],
  ["requiredScopes"],
  ["defaultResource"],
  ["scopes"],
  ["groups"],
  ["claims"],
  ["clients"],
  ["machines"],
  ["resourceServers"],
  ["registration"],
  ["metadataDocuments"],
  ["consent"],
  ["branding"],
  ["tokens", "accessTtl"],
  ["tokens", "codeTtl"],
  ["tokens", "refreshIdleTtl"],
  ["tokens", "refreshTtl"],
  ["tokens", "graceWindow"],
  ["tokens", "upstreamMaxAge"],
  ["tokens", "upstreamGrace"],
  ["keys"],
  ["limits"],
  ["allowedOrigins"],
  ["maxBody"],
];

/** What there is to say of each changed setting that is not among `live`. */
export const needRestart = (changed: readonly ChangedSetting[], live: readonly Path[]): readonly Problem[] =>
  changed
    .filter(({ path }) => !live.some((open) => open.every((step, depth) => path[depth] === step)))
    .map(({ name }) => ({
      setting: name,
      source: "configuration",
      message: "cannot change while the process runs; restart it, or put the old value back",
    }));
