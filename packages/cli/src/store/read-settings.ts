import { formatProblem } from "sallyport";
import { secretRule } from "../config/gateway-rules.ts";
import { type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { writeError } from "../process/output.ts";

/**
 * The settings of a deployment, for a command that works on its store. Warnings go to stderr.
 * @param options.sealed whether records are read or written: then the root secret is needed
 * @throws CommandFailure with a line for every problem
 */
export async function readSettings(options: {
  readonly config?: string | undefined;
  readonly sealed: boolean;
}): Promise<GatewaySettings> {
  const { config, warnings } = await loadGatewayConfig({
    ...(options.config === undefined ? {} : { file: options.config }),
    env: process.env,
    rules: options.sealed ? [secretRule] : [],
  });
  for (const warning of warnings) writeError(`warning: ${formatProblem(warning)}`);
  return config;
}
