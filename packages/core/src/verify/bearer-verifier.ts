import type { Principal } from "./principal.ts";

/** The resource-server side: from an `Authorization` header to a {@link Principal}. */
export interface BearerVerifier {
  /**
   * Asks both doors. Answers without a promise where both are cached, which is the rule under steady traffic.
   * @param authorization the header's value as it came
   * @param resource canonical URL of the resource that is asked for; must be one of the configured
   * @throws BearerRefusal (or rejects with it)
   */
  check(authorization: string | undefined, resource: string): Principal | Promise<Principal>;
  /**
   * Asks door two again for a request that is still running, and at the latest one hour after the token's end refuses;
   * at once where the key that signed the token was dropped.
   * Rejects with BearerRefusal; status 503 means that nothing is known and the stream may go on until the next time.
   * @param principal the very object that `check` or `recheck` of this verifier gave
   */
  recheck(principal: Principal): Promise<Principal>;
  /** The challenge context of a resource. */
  challenge(resource: string): { readonly scope: string; readonly resourceMetadata: string };
}
