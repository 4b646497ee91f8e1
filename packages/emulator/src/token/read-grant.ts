import type { z } from "zod";
import { OAuthError } from "../http/oauth-error.ts";
import type { Parameters } from "../http/parameters.ts";

/**
 * Reads the parameters of one grant type; others are ignored, `resource` among them.
 * @throws OAuthError `invalid_request` if one is missing
 */
export function readGrant<S extends z.ZodType>(shape: S, { values }: Parameters): z.output<S> {
  const parsed = shape.safeParse(values);
  if (parsed.success) return parsed.data;
  const names = parsed.error.issues.map(({ path }) => path.join("."));
  throw new OAuthError("invalid_request", `missing: ${names.join(", ")}`);
}
