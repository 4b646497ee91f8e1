import { readFile as readText, stat } from "node:fs/promises";
import type { z } from "zod";
import { withRules } from "./check.ts";
import { checkFastmcpRegion, fromFastmcpEnvironment } from "./fastmcp-environment.ts";
import { fromCode } from "./from-code.ts";
import { type Environment, fromEnvironment } from "./from-environment.ts";
import { fromFile } from "./from-file.ts";
import { type Layer, mergeLayers, pathKey, type Tree, valueAt } from "./layer.ts";
import { formatPath } from "./names.ts";
import type { Problem } from "./problem.ts";
import { ConfigError } from "./problem.ts";
import type { Rule } from "./rule.ts";
import { type ReadFile, resolveSecrets, whyUnreadable } from "./secrets.ts";
import { validate } from "./validate.ts";
import { listSettings, type Path } from "./walk.ts";

/** Where settings are looked for. What comes later here counts more: defaults, file, environment, overrides. */
export interface LoadOptions<Schema extends z.ZodObject> {
  /** `coreSection`, or what `combine` made of several sections. */
  readonly schema: Schema;
  /**
   * Settings of a program that knows better defaults than the schema, camelCase; or how to find them, given whether the
   * file or the environment sets something at a place.
   */
  readonly defaults?: object | ((isSet: (path: Path) => boolean) => object);
  /** Path of a TOML file. Default: no file. */
  readonly file?: string;
  /** The text of the file, if it has been read already. */
  readonly text?: string;
  readonly env: Environment;
  /** Settings from flags or code, camelCase. */
  readonly overrides?: object;
  /** Default: the file system. */
  readonly readFile?: ReadFile;
  /** Told what to write instead of an old name. Default: it becomes a warning. */
  readonly notice?: (message: string) => void;
  /** Rules besides the core's; one of the same name takes its place. */
  readonly rules?: readonly Rule[];
  /** Variables beginning with `SALLYPORT_` that are no settings; `SALLYPORT_TEST_*` names all that begin so. */
  readonly ignoreEnv?: readonly string[];
}

/** Settings, and where they come from. */
export interface Loaded<Config = unknown> {
  readonly config: Config;
  /** Setting (`cognito.user_pool_id`) → `sallyport.toml:12`, an environment variable, `default` or `code`. */
  readonly sources: Readonly<Record<string, string>>;
  readonly warnings: readonly Problem[];
  readonly schema: z.ZodObject;
  /** The settings as they were written, with the secrets in the place of the references to them. */
  readonly input: Tree;
  readonly sourceOf: (path: Path) => string;
}

/** Reads from the file system. */
export const fileSystem: ReadFile = async (path) => {
  const [text, { mode }] = await Promise.all([readText(path, "utf8"), stat(path)]);
  // Windows has no such bits: Node makes some up that say that everybody may read.
  return process.platform === "win32" ? { text } : { text, mode: mode & 0o777 };
};

/**
 * Reads the settings from a TOML file, the environment and the code, over the defaults.
 * @returns the settings (durations in milliseconds, sizes in bytes), their sources, and what is odd but usable
 * @throws ConfigError with everything that is wrong
 */
export async function loadConfig<Schema extends z.ZodObject>(
  options: LoadOptions<Schema>,
): Promise<Loaded<z.output<Schema>>> {
  const { schema, env } = options;
  const readFile = options.readFile ?? fileSystem;
  const notices: Problem[] = [];
  const notice =
    options.notice ?? ((message: string) => void notices.push({ setting: "", source: "environment", message }));

  const layers = [fromFastmcpEnvironment(schema, env, notice)];
  const text = options.text ?? (await readConfigFile(options.file, readFile));
  if (text !== undefined) layers.push(fromFile(schema, text, options.file ?? "sallyport.toml"));
  layers.push(fromEnvironment(schema, env, options.ignoreEnv));
  if (options.defaults !== undefined)
    layers.unshift(fromCode(schema, resolveDefaults(options.defaults, layers), "snake"));
  if (options.overrides !== undefined) layers.push(fromCode(schema, options.overrides, "snake"));

  const { input, sourceOf } = mergeLayers(schema, layers);
  const secrets = await resolveSecrets(schema, input, { env, file: options.file, readFile });
  const problemAt = ({ path, message }: { readonly path: Path; readonly message: string }): Problem => ({
    setting: formatPath(schema, path, "snake"),
    source: sourceOf(path),
    message,
  });
  const checked = validate(schema, {
    input: secrets.input,
    sourceOf,
    spelling: "snake",
    rules: withRules(options.rules),
    problems: [
      ...layers.flatMap((layer) => layer.problems),
      ...checkFastmcpRegion(env, valueAt(input, ["cognito", "userPoolId"])),
      ...secrets.problems.map(problemAt),
    ],
    warnings: [...notices, ...layers.flatMap((layer) => layer.warnings), ...secrets.warnings.map(problemAt)],
    faulty: layers.flatMap((layer) => layer.faulty),
    unresolved: secrets.problems.map(({ path }) => path),
  });
  if (!checked.config) throw new ConfigError(checked.problems);
  return {
    config: checked.config,
    sources: Object.fromEntries(
      listSettings(schema).map(({ path }) => [formatPath(schema, path, "snake"), checked.sourceOf(path)]),
    ),
    warnings: checked.warnings,
    schema,
    input: checked.input,
    sourceOf: checked.sourceOf,
  };
}

function resolveDefaults(
  defaults: NonNullable<LoadOptions<z.ZodObject>["defaults"]>,
  layers: readonly Layer[],
): object {
  if (typeof defaults !== "function") return defaults;
  return defaults((path) => {
    // The place itself, or one within it.
    const start = pathKey(path).slice(0, -1);
    return layers.some((layer) =>
      [...layer.settings.keys()].some((key) => key === `${start}]` || key.startsWith(`${start},`)),
    );
  });
}

async function readConfigFile(file: string | undefined, readFile: ReadFile): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await readFile(file)).text;
  } catch (error) {
    throw new ConfigError([{ setting: file, source: file, message: `cannot be read: ${whyUnreadable(error)}` }]);
  }
}
