/** One thing that is wrong with (or odd about) the settings. */
export interface Problem {
  /** The setting, as `cognito.user_pool_id`; or the name of a file or an environment variable that is itself the matter. */
  readonly setting: string;
  /** Where the value came from: `sallyport.toml:12`, an environment variable, `default` or `code`. */
  readonly source: string;
  /** What is wrong and how to mend it. Never holds the value of a secret setting. */
  readonly message: string;
}

/** `cognito.user_pool_id (sallyport.toml:12): …`, for people. */
export const formatProblem = ({ setting, source, message }: Problem): string =>
  setting === "" || setting === source ? `${source}: ${message}` : `${setting} (${source}): ${message}`;

/** The settings cannot be used. `problems` lists everything that is wrong with them, not just the first thing. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
    super(`The configuration has ${count}:\n${problems.map((problem) => `  ${formatProblem(problem)}`).join("\n")}`);
    this.problems = problems;
  }
}
