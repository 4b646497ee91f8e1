import { secretEqual } from "../runtime.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Parameters } from "./parameters.ts";

/**
 * Who makes a request to the token or revocation endpoint: `client_secret_basic`, `client_secret_post`, or the bare
 * `client_id` of a public client.
 * @throws OAuthError `invalid_client` with the description `invalid_client_secret` for an unknown client and a wrong or
 *   missing secret; bare `invalid_client` for a public client that uses Basic
 */
export function authenticateClient(
  { clients }: Pick<Emulation, "clients">,
  authorization: string | undefined,
  { values }: Parameters,
): Client {
  const basic = authorization === undefined ? undefined : readBasic(authorization);
  const id = basic?.id ?? values.client_id;
  if (id === undefined) throw new OAuthError("invalid_request", "client_id is missing");
  if (basic !== undefined && values.client_id !== undefined && values.client_id !== id) {
    throw new OAuthError("invalid_request", "client_id differs between the Authorization header and the body");
  }
  const client = clients.get(id) ?? clients.get(decoded(id) ?? id);
  if (client === undefined) throw wrongSecret("the client is unknown");
  if (client.secrets.length === 0) {
    if (basic !== undefined) throw new OAuthError("invalid_client", "a public client must not use Basic");
    if (values.client_secret !== undefined) throw wrongSecret("the client has no secret, but one was sent");
    return client;
  }
  const presented = basic?.secret ?? values.client_secret;
  if (presented === undefined) throw wrongSecret("the client's secret is missing");
  // RFC 6749 section 2.3.1 has both parts form-encoded; many clients send them as they are.
  const forms = basic === undefined ? [presented] : [presented, decoded(presented) ?? presented];
  const matches = client.secrets.map((secret) => forms.map((form) => secretEqual(secret, form)).includes(true));
  if (!matches.includes(true)) throw wrongSecret("the client's secret is wrong");
  return client;
}

function wrongSecret(reason: string): OAuthError {
  return new OAuthError("invalid_client", reason, "invalid_client_secret");
}

function readBasic(header: string): { id: string; secret: string } {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(header) ?? [];
  const text = Buffer.from(encoded ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) throw new OAuthError("invalid_client", "the Authorization header is not Basic");
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
