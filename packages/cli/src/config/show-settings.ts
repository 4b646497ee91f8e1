import { formatProblem, showConfig } from "sallyport";
import { writeError, writeLine } from "../process/output.ts";
import { loadGatewayConfig } from "./load-gateway-config.ts";

/**
 * `sallyport config show`: every setting with its value (secrets masked) and where it comes from.
 * @throws CommandFailure with a line for every problem
 */
export async function showSettings(options: { readonly config?: string; readonly json?: boolean }): Promise<number> {
  const loaded = await loadGatewayConfig({
    ...(options.config === undefined ? {} : { file: options.config }),
    env: process.env,
  });
  const rows = showConfig(loaded);
  for (const warning of loaded.warnings) writeError(`warning: ${formatProblem(warning)}`);
  if (options.json) writeLine(JSON.stringify(rows, null, 2));
  else {
    const width = (key: "setting" | "value") => Math.min(60, Math.max(...rows.map((row) => row[key].length)));
    const [settings, values] = [width("setting"), width("value")];
    for (const { setting, value, source } of rows) {
      writeLine(`${setting.padEnd(settings)}  ${value.padEnd(values)}  ${source}`);
    }
  }
  return 0;
}
