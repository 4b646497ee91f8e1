import type { Rule } from "../rule.ts";

/** This pool has no identity provider but its own directory, `COGNITO`. */
export const requireLocalProvider: Rule = ({ parameters }) => {
  const { identity_provider: provider, idp_identifier: identifier } = parameters.values;
  const local = (provider === undefined || provider === "COGNITO") && identifier === undefined;
  return local ? undefined : { error: "invalid_request" };
};
