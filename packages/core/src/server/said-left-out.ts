import { ConfigError, type CoreConfigInput, type Problem } from "../config/index.ts";

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
 * Takes the `null`s out of what a program gave, where leaving out means the same.
 * @throws ConfigError for every bound that was forgotten
 */
export function withoutSaid(settings: SallyportSettings): CoreConfigInput {
  const problems: Problem[] = [];
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
  if (problems.length > 0) throw new ConfigError(problems);
  return input as unknown as CoreConfigInput;
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
