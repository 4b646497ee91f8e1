import { isAttribute } from "../../config/claim-names.ts";
import type { Identity } from "../identity-provider.ts";
import type { UserInfo } from "./user-info.ts";
import type { AccessTokenClaims, IdTokenClaims } from "./verify-tokens.ts";

/**
 * Who signed in, from both tokens and, where it was asked, userInfo. Groups come from the access token: that is the one
 * Cognito means for authorization. A claim that several have is taken from the ID token, then the access token; userInfo,
 * which nobody signed, only adds attributes that neither has.
 * @param names the claims to keep, whatever they are, as far as they are there; undefined: every attribute of the user
 */
export function identityFromClaims(
  { id, access, info }: { readonly id: IdTokenClaims; readonly access: AccessTokenClaims; readonly info?: UserInfo },
  names: readonly string[] | undefined,
): Identity {
  // Whether an address is verified is only known of that very address.
  const address = id.email === undefined && info ? info : id;
  const attributes = Object.entries(info ?? {}).filter(([name]) => isAttribute(name));
  const claims = { ...Object.fromEntries(attributes), ...access, ...id };
  const wanted = names === undefined ? isAttribute : (name: string) => names.includes(name);
  return {
    sub: id.sub,
    // Neither is promised in every token; sub is, and is the user name in pools where people sign in by e-mail.
    username: id["cognito:username"] ?? access.username ?? id.sub,
    groups: access["cognito:groups"] ?? id["cognito:groups"] ?? [],
    ...(address.email === undefined ? {} : { email: address.email }),
    ...(address.email === undefined || address.email_verified === undefined
      ? {}
      : { emailVerified: address.email_verified }),
    claims: Object.fromEntries(Object.entries(claims).filter(([name]) => wanted(name))),
  };
}
