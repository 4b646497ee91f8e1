import { formatProblem } from "sallyport";
import { writeError, writeLine } from "../process/output.ts";
import { certificateWarnings, keyPairFiles } from "../serve/certificate.ts";
import { secretRule } from "./gateway-rules.ts";
import { loadGatewayConfig } from "./load-gateway-config.ts";

/**
 * `sallyport config check`: whether `serve` would take the settings.
 * @throws CommandFailure with a line for every problem
 */
export async function checkConfig({ config: file }: { readonly config?: string }): Promise<number> {
  const { config, warnings } = await loadGatewayConfig({
    ...(file === undefined ? {} : { file }),
    env: process.env,
    rules: [secretRule],
  });
  for (const warning of warnings) writeError(`warning: ${formatProblem(warning)}`);
  const tls = config.tls && keyPairFiles(config.tls, file);
  for (const warning of await certificateWarnings({ ...config, tls })) writeError(`warning: ${warning}`);
  writeLine(`ok: the settings of ${file ?? "the environment"} can be used`);
  return 0;
}
