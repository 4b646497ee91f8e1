import { promptValues } from "../prompt-values.ts";
import type { Rule } from "../rule.ts";

const known = new Set(["none", "login", "select_account", "consent"]);

/** `none` stands alone; the others may be combined. */
export const requireKnownPrompt: Rule = ({ parameters }) => {
  const prompt = promptValues(parameters.values.prompt);
  const good = [...prompt].every((value) => known.has(value)) && (!prompt.has("none") || prompt.size === 1);
  return good ? undefined : { error: "invalid_request" };
};
