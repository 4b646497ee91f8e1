import { OAuthError } from "../errors/index.ts";
import type { Parameters } from "../http/index.ts";
import type { TokenDeps } from "./deps.ts";

/** The canonical URL meant by `resource` at the token endpoint (RFC 8707 §2.2); undefined where it is left out. */
export function resourceParameter(deps: Pick<TokenDeps, "resources">, form: Parameters): string | undefined {
  const parameter = form.get("resource");
  if (parameter === undefined) return undefined;
  const resource = deps.resources.resolve(parameter);
  if (!resource)
    throw new OAuthError("invalid_target", "resource_unknown", "resource is not one that is protected here");
  return resource.url;
}
