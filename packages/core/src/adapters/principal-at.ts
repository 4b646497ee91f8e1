import type { Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import type { MountOptions } from "./public-url.ts";

/** Which resource is protected, where its path does not say so. */
export interface ProtectOptions extends MountOptions {
  /** Path of a configured resource, below the base URL. Default: the one at the request's own path. */
  readonly resource?: string;
}

/** A request to no resource: 404 in frameworks that look at an error's status, or let it answer for itself. */
class UnknownResource extends RangeError {
  override readonly name = "UnknownResource";
  readonly status = 404;
  readonly statusCode = 404;

  getResponse(): Response {
    return Response.json({ error: "not_found", error_description: this.message }, { status: this.status });
  }
}

/**
 * Who makes a request.
 * Rejects with BearerRefusal, ready to be answered; with UnknownResource where its path is no resource
 */
export async function principalAt<Claims extends object>(
  auth: Auth<Claims>,
  url: URL | undefined,
  headers: Headers,
  { resource }: ProtectOptions,
): Promise<Principal<Claims>> {
  if (!url) throw new UnknownResource("the request's path is not in its plain form");
  const place = resource === undefined ? url : new URL(`${auth.baseUrl()}${resource === "/" ? "" : resource}`);
  return auth.verify(new Request(place, { headers })).catch((error: unknown) => {
    if (!(error instanceof RangeError)) throw error;
    throw new UnknownResource(
      `${place.pathname} is not the path of a configured resource: name it in resources, or say protect(auth, { resource: "/…" })`,
    );
  });
}
