import { withRules } from "./check.ts";
import { fromCode } from "./from-code.ts";
import { mergeLayers } from "./layer.ts";
import { formatPath } from "./names.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { isReference, listSecrets } from "./secrets.ts";
import { type CoreConfig, type CoreConfigInput, coreSection } from "./section.ts";
import { validate } from "./validate.ts";

/**
 * Checks settings given in code, by the same schema and rules as a file's.
 * @param input camelCase; durations and sizes as texts (`15s`, `4MiB`)
 * @param warn told what is odd but usable; default: nobody
 * @returns the settings with defaults, durations in milliseconds, sizes in bytes
 * @throws ConfigError with everything that is wrong, settings named as in the code (`cognito.userPoolId`)
 */
export function parseCoreConfig(input: CoreConfigInput, warn: (problem: Problem) => void = () => {}): CoreConfig {
  const layer = fromCode(coreSection, input, "camel");
  const merged = mergeLayers(coreSection, [layer]);
  const references = listSecrets(coreSection, merged.input).filter(({ text }) => isReference(text));
  const checked = validate(coreSection, {
    ...merged,
    spelling: "camel",
    rules: withRules(),
    problems: [
      ...layer.problems,
      ...references.map(({ path }) => ({
        setting: formatPath(coreSection, path, "camel"),
        source: "code",
        message: "env: and file: are followed in files and variables only; pass the secret itself",
      })),
    ],
    warnings: layer.warnings,
    faulty: layer.faulty,
    unresolved: references.map(({ path }) => path),
  });
  if (!checked.config) throw new ConfigError(checked.problems);
  for (const problem of checked.warnings) warn(problem);
  return checked.config;
}
