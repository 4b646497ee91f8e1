import type { Rule } from "../rule.ts";

/** No parameter may come twice (RFC 6749 section 3.1); of `resource` Cognito takes one a request. */
export const requireSingleParameters: Rule = ({ parameters }) =>
  parameters.repeated.size > 0 ? { error: "invalid_request" } : undefined;
