/** What the protocol needs, or what an identity has a field for. All that begins with `cognito:` goes the same way. */
const notAttributes = new Set([
  ...["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "at_hash", "c_hash", "s_hash", "sid"],
  ...["acr", "amr", "auth_time", "token_use", "event_id", "origin_jti", "device_key", "version", "client_id", "scope"],
  ...["username", "email", "email_verified"],
]);

/** Whether a claim of Cognito's tokens is an attribute of the user: these are kept where no claims are listed. */
export const isAttribute = (name: string): boolean => !notAttributes.has(name) && !name.startsWith("cognito:");

/**
 * Claims that every identity has, whichever are listed; `email` only where it is verified, since a user may write any
 * address that nobody has confirmed.
 */
export const identityClaims: ReadonlySet<string> = new Set(["sub", "email"]);

/**
 * What users may choose themselves at sign-up or write later: the user name, and the standard attributes, which an app
 * client may write unless its attribute permissions say otherwise (Cognito, "Attribute permissions and scopes").
 */
export const userWritableClaims: ReadonlySet<string> = new Set([
  ...["username", "cognito:username", "preferred_username", "nickname", "name", "given_name", "family_name"],
  ...["middle_name", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "address"],
  ...["phone_number", "updated_at"],
]);
