import { type GatewayConfig, gatewaySection } from "@sallyport/gateway";
import {
  ConfigError,
  type CoreConfig,
  combine,
  coreSection,
  formatProblem,
  type Loaded,
  type LoadOptions,
  loadConfig,
  type Problem,
} from "sallyport";
import { CommandFailure } from "../process/failure.ts";
import { gatewayRules } from "./gateway-rules.ts";

/** All settings of a gateway. */
export type GatewaySettings = CoreConfig & GatewayConfig;

/**
 * Reads the settings of a gateway from a file, if one is given, and the environment.
 * @throws CommandFailure with a line for every problem
 */
export async function loadGatewayConfig(
  options: Pick<
    LoadOptions<typeof coreSection>,
    "file" | "text" | "env" | "defaults" | "overrides" | "rules" | "readFile"
  >,
): Promise<Loaded<GatewaySettings>> {
  try {
    return await loadConfig({
      ...options,
      schema: combine([coreSection, gatewaySection]),
      rules: [...gatewayRules, ...(options.rules ?? [])],
      // The project's own tests have variables of this form.
      ignoreEnv: ["SALLYPORT_TEST_*"],
    });
  } catch (error) {
    throw configFailure(error, options.file);
  }
}

/** Turns a ConfigError into the lines to show; any other error comes back as it is. */
export const configFailure = (error: unknown, file: string | undefined): unknown =>
  error instanceof ConfigError
    ? new CommandFailure(...error.problems.map((problem) => problemLine(problem, file)))
    : error;

/** A problem as one line. What is missing stands nowhere: then the file is named in which it was looked for. */
function problemLine(problem: Problem, file: string | undefined): string {
  const line = formatProblem(problem).replace(/\s*\n\s*/g, " ");
  const nowhere = problem.source === "default" || problem.source === "code";
  return file !== undefined && nowhere ? `${file}: ${line}` : line;
}
