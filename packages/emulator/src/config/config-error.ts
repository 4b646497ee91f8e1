/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Where, e.g. `pool.clients[0].callbackUrls[1]`, in the spelling of the place it came from. */
  readonly path: string;
  /** What is wrong and how to mend it. Never holds a secret. */
  readonly message: string;
}

/** The configuration cannot be used. Holds every problem that was found, not only the first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], source = "configuration") {
    const lines = problems.map(({ path, message }) => `  ${path === "" ? "" : `${path}: `}${message}`);
    super([`The ${source} cannot be used:`, ...lines].join("\n"));
    this.problems = problems;
  }
}
