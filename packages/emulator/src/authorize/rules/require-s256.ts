import type { Rule } from "../rule.ts";

/** PKCE is optional, but a challenge needs its method, and the method is S256. */
export const requireS256: Rule = ({ parameters }) => {
  const { code_challenge: challenge, code_challenge_method: method } = parameters.values;
  if (challenge === undefined && method === undefined) return undefined;
  return challenge !== undefined && method === "S256" ? undefined : { error: "invalid_request" };
};
