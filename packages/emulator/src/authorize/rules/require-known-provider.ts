import { providerOf } from "../provider-of.ts";
import type { Rule } from "../rule.ts";

/** What `identity_provider` or `idp_identifier` names must be one of the pool's. */
export const requireKnownProvider: Rule = ({ parameters, settings }) =>
  providerOf(settings, parameters) === undefined ? { error: "invalid_request" } : undefined;
