import type { ScenarioFile } from "./scenario.ts";
import { clientScenarios } from "./scenarios/clients.ts";
import { consentScenarios } from "./scenarios/consent.ts";
import { providerScenarios } from "./scenarios/providers.ts";
import { signInScenarios } from "./scenarios/sign-in.ts";
import { tokenScenarios } from "./scenarios/tokens.ts";
import { verificationScenarios } from "./scenarios/verification.ts";

/** What the tests of FastMCP 4.0 assert, by the test file it is found in. */
export const fastmcpScenarios: readonly ScenarioFile[] = [
  ...signInScenarios,
  ...clientScenarios,
  ...consentScenarios,
  ...tokenScenarios,
  ...verificationScenarios,
  ...providerScenarios,
];
