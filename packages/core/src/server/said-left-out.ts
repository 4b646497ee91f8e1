import { ConfigError, type CoreConfig, type CoreConfigInput, type Problem, parseCoreConfig } from "../config/index.ts";

type Entry<Table extends "clients" | "machines"> = NonNullable<CoreConfigInput[Table]>[string];

/**
 * Settings as a program gives them. Bounds that keep somebody small cannot be forgotten here, as they can in no code
 * that says `null` for them: `cognito.clientSecret`, `scopes` of a client, `resources` of a machine. And there is no
 * start without `secret`.
 */
export interface SallyportSettings extends Omit<CoreConfigInput, "clients" | "machines" | "secret"> {
  /** Clients known beforehand, by client_id. `scopes` is the most a client may have; `null`: everything. */
  readonly clients?: Readonly<Record<string, Omit<Entry<"clients">, "scopes"> & { readonly scopes: string[] | null }>>;
  /** Who may come by client_credentials. `resources` are the paths that a machine may use; `null`: all. */
  readonly machines?: Readonly<
    Record<string, Omit<Entry<"machines">, "resources"> & { readonly resources: string[] | null }>
  >;
  /** Root secrets, at least 32 random bytes each; the first writes, all read. */
  readonly secret: string[];
}

/** What must be said, and what `null` then says. */
const bounds = [
  { table: "clients", key: "scopes", all: "every scope" },
  { table: "machines", key: "resources", all: "every resource" },
] as const;

/**
 * Checks settings that a program gives, by the schema and rules of all settings and by what must be said.
 * @param warn told what is odd but usable
 * @throws ConfigError with everything that is wrong
 */
export function parseSettings(settings: SallyportSettings, warn: (problem: Problem) => void): CoreConfig {
  const { input, problems } = withoutSaid(settings);
  let config: CoreConfig | undefined;
  try {
    config = parseCoreConfig(input, warn);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.unshift(...error.problems);
  }
  if (config === undefined || problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Takes the `null`s out of what a program gave, where leaving out means the same, and finds what was forgotten. */
function withoutSaid(settings: SallyportSettings): { readonly input: CoreConfigInput; readonly problems: Problem[] } {
  const problems: Problem[] = [];
  const secrets: unknown = settings.secret;
  if (secrets === undefined || (Array.isArray(secrets) && secrets.length === 0)) {
    const message =
      "is missing: set secret to [process.env.SALLYPORT_SECRET], at least 32 random bytes such as the output of `openssl rand -base64 32`";
    problems.push({ setting: "secret", source: "code", message });
  }
  const input: Record<string, unknown> = { ...settings };
  for (const { table, key, all } of bounds) {
    // From JavaScript anything may come; what is no table of tables is the schema's to refuse.
    const entries: unknown = settings[table];
    if (!isTable(entries)) continue;
    input[table] = Object.fromEntries(
      Object.entries(entries).map(([id, entry]) => {
        if (!isTable(entry)) return [id, entry];
        const { [key]: bound, ...rest } = entry;
        if (bound === null) return [id, rest];
        if (bound === undefined) {
          const setting = `${table}.${/^[\w-]+$/.test(id) ? id : JSON.stringify(id)}.${key}`;
          problems.push({
            setting,
            source: "code",
            message: `is missing: list them, or set ${setting} to null for ${all}`,
          });
        }
        return [id, entry];
      }),
    );
  }
  return { input: input as unknown as CoreConfigInput, problems };
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
