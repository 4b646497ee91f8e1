import { isResourceUrl } from "../../config/url-rules.ts";
import type { Rule } from "../rule.ts";

/** With resource binding `resource` must be a URL (RFC 8707); without it the parameter is ignored. */
export const requireResourceUrl: Rule = ({ parameters, settings }) => {
  const { resource } = parameters.values;
  if (!settings.resourceBinding || resource === undefined) return undefined;
  return isResourceUrl(resource) ? undefined : { error: "invalid_request" };
};
