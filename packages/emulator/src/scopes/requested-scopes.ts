import type { Client } from "../state/client-directory.ts";

const needOpenid = ["email", "phone", "profile"];

/**
 * The scopes of an authorization request: all of the client's if it names none. Undefined: it names one that the
 * client does not have, or email, phone or profile without openid; the whole request is then refused, never narrowed.
 */
export function requestedScopes(client: Client, scope: string | undefined): readonly string[] | undefined {
  if (scope === undefined) return client.scopes;
  const names = [...new Set(scope.split(" ").filter((name) => name !== ""))];
  if (names.length === 0) return client.scopes;
  if (!names.every((name) => client.scopes.includes(name))) return undefined;
  if (!names.includes("openid") && names.some((name) => needOpenid.includes(name))) return undefined;
  return names;
}
