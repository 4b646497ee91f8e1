import type { Evidence } from "./evidence.ts";

/** Something that FastMCP's tests assert, in our words, and what becomes of it here. */
export type Scenario = { readonly scenario: string } & (
  | {
      readonly shownBy: readonly Evidence[];
      /** What happens here instead, where that is another thing. */
      readonly here?: string;
    }
  | { readonly notApplicable: string }
  | { readonly notBuilt: string }
);

/** The scenarios of one or several of FastMCP's test files. */
export interface ScenarioFile {
  readonly file: string;
  readonly about: string;
  readonly scenarios: readonly Scenario[];
}

/** It is so here, and these tests show it. */
export const shown = (scenario: string, ...shownBy: readonly Evidence[]): Scenario => ({ scenario, shownBy });

/** Something else happens here, and these tests show that. */
export const differs = (scenario: string, here: string, ...shownBy: readonly Evidence[]): Scenario => ({
  scenario,
  here,
  shownBy,
});

/** It cannot be asked of this project. */
export const not = (scenario: string, notApplicable: string): Scenario => ({ scenario, notApplicable });

/** It can be, and there is nothing yet. */
export const missing = (scenario: string, notBuilt: string): Scenario => ({ scenario, notBuilt });
