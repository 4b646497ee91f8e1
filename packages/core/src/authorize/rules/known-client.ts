import type { Client, ClientDirectory } from "../../clients/index.ts";
import { OAuthError } from "../../errors/index.ts";

/** Rule 1: `client_id` names a client that is known here (RFC 6749 §4.1.1). Never answered by a redirect. */
export async function knownClient(clientId: string | undefined, clients: ClientDirectory): Promise<Client> {
  if (clientId === undefined) throw new OAuthError("invalid_request", "malformed_request", "client_id is missing");
  const client = await clients.find(clientId, "sign_in");
  if (!client)
    throw new OAuthError("invalid_client", "client_unknown", "This app's registration is not known here.", {
      status: 400,
    });
  return client;
}
