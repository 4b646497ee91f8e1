import { gatewaySection } from "@sallyport/gateway";
import {
  combine,
  coreSection,
  createSallyport,
  loadConfig,
  memoryAudit,
  type Sallyport,
  type SallyportRuntime,
  type Store,
} from "sallyport";
import { gatewayRules } from "../../packages/cli/src/config/gateway-rules.ts";
import { serverResources } from "../../packages/cli/src/serve/server-resources.ts";
import type { TestEnvironment } from "./environment.ts";

/**
 * The library over the settings of a running environment and the store of its gateway: another replica, for what no
 * endpoint offers. It leaves the store open, which is the gateway's to close.
 */
export async function libraryBeside(
  env: Pick<TestEnvironment, "settings" | "clock">,
  store: Store,
  runtime: Partial<SallyportRuntime> = {},
): Promise<Sallyport & { readonly audit: ReturnType<typeof memoryAudit>["events"] }> {
  const schema = combine([coreSection, gatewaySection]);
  const { config } = await loadConfig({ schema, rules: gatewayRules, env: {}, overrides: env.settings });
  const audit = memoryAudit();
  const shared = { ...store, close: async () => {} };
  const resources = [...config.resources, ...serverResources(config)];
  const auth = await createSallyport({ ...config, resources }, { ...runtime, clock: env.clock, store: shared, audit });
  return { ...auth, audit: audit.events };
}
