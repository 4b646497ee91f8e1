import { type ClientAuth, None } from "oauth4webapi";

/**
 * How an app client authenticates: `client_secret_basic`, or no secret at all for a public one. RFC 6749 §2.3.1 wants id
 * and secret form-encoded, Cognito documents them raw; a form encoder that leaves `_`, `-` and `.` alone, as the URL
 * Standard's does, gives both the same bytes for what Cognito's own ids and secrets are made of.
 */
export function clientAuthentication(clientSecret: string | null): ClientAuth {
  if (clientSecret === null) return None();
  return (_server, client, _body, headers) => {
    const credentials = `${formEncoded(client.client_id)}:${formEncoded(clientSecret)}`;
    headers.set("authorization", `Basic ${btoa(credentials)}`);
  };
}

const formEncoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice("=".length);
