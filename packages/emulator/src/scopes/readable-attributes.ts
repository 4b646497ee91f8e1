import { attributesOfScope, isCustomAttribute } from "../config/attributes.ts";
import type { Client } from "../state/client-directory.ts";
import type { User } from "../state/user-directory.ts";

function readable({ readAttributes }: Client, name: string): boolean {
  return readAttributes === undefined || readAttributes.includes(name);
}

function inScopes(scopes: readonly string[], name: string): boolean {
  const narrowed = (["email", "phone", "profile"] as const).filter((scope) => scopes.includes(scope));
  // openid alone gives every attribute; each of the three narrows it to its own.
  if (narrowed.length === 0) return scopes.includes("openid");
  return narrowed.some(
    (scope) => attributesOfScope[scope].includes(name) || (scope === "profile" && isCustomAttribute(name)),
  );
}

/** The user's attributes that the ID token and /oauth2/userInfo show for these scopes. */
export function visibleAttributes(client: Client, user: User, scopes: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(user.attributes).filter(([name]) => readable(client, name) && inScopes(scopes, name)),
  );
}

/**
 * A granted scope whose attributes the client may not read. Cognito then refuses the code with `invalid_grant`.
 * `profile` asks for many attributes, so one that can be read is enough.
 */
export function unreadableScope(client: Client, scopes: readonly string[]): string | undefined {
  if (scopes.includes("email") && !readable(client, "email")) return "email";
  if (scopes.includes("phone") && !readable(client, "phone_number")) return "phone";
  if (!scopes.includes("profile")) return undefined;
  return attributesOfScope.profile.some((name) => readable(client, name)) ? undefined : "profile";
}
