import { OAuthError } from "../../errors/index.ts";
import type { ProtectedResource, ResourceCatalog } from "../../verify/index.ts";

/** Rule 5: `resource` means one of ours (RFC 8707 §2); left out, it means the default one or the only one. */
export function oneResource(parameter: string | undefined, resources: ResourceCatalog): ProtectedResource {
  const resource = parameter === undefined ? resources.default : resources.resolve(parameter);
  if (resource) return resource;
  if (parameter === undefined) {
    throw new OAuthError(
      "invalid_target",
      "resource_ambiguous",
      "resource is missing and there are several; name the server's URL",
    );
  }
  throw new OAuthError("invalid_target", "resource_unknown", "resource is not one that is protected here");
}
