import type { Parameters } from "../http/parameters.ts";
import { type Member, withQuery } from "../http/redirect-url.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";

/** A client and one of its registered callback URLs: only there may an answer go. */
export interface RedirectTarget {
  readonly client: Client;
  readonly redirectUri: string;
}

/**
 * Finds client and redirect URI of a request. The redirect URI must be one of the client's, character for character.
 * A string is the address of the error page, where the browser goes instead.
 */
export function findRedirect(emulation: Emulation, { values, repeated }: Parameters): RedirectTarget | string {
  const client = clientOf(emulation, values.client_id);
  if (client === undefined || repeated.has("client_id") || repeated.has("redirect_uri")) {
    return errorPage(emulation, "invalid_request", values.client_id);
  }
  const redirectUri = values.redirect_uri ?? client.defaultRedirectUri;
  if (redirectUri === undefined || !client.callbackUrls.includes(redirectUri)) {
    return errorPage(emulation, "redirect_mismatch", client.id);
  }
  return { client, redirectUri };
}

/** The client of that id, if there is one. */
export function clientOf({ clients }: Emulation, id: string | undefined): Client | undefined {
  return id === undefined ? undefined : clients.get(id);
}

/** Where the browser is sent when nothing may go to the redirect URI. */
export function errorPage(
  { addresses }: Emulation,
  error: "redirect_mismatch" | "invalid_request",
  clientId?: string,
): string {
  const members: Member[] = [
    ["error", error],
    ["client_id", clientId],
  ];
  return withQuery(`${addresses.url}/error`, members);
}
