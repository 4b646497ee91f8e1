import { createHash, randomBytes } from "node:crypto";

/** A hand-made OAuth client for tests that must send what no library would. */
export interface TestClient {
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly redirectUri: string;
}

export interface PkcePair {
  readonly verifier: string;
  readonly challenge: string;
}

export const pkce = (): PkcePair => {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
};

export interface TokenAnswer {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
  readonly expires_in: number;
  readonly error?: string;
}

/** Registers a public client with one loopback redirect. */
export async function register(issuer: string, metadata: Readonly<Record<string, unknown>> = {}): Promise<TestClient> {
  const redirectUri = "http://127.0.0.1:9/callback";
  const response = await fetch(`${issuer}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      redirect_uris: [redirectUri],
      client_name: "Test client",
      token_endpoint_auth_method: "none",
      ...metadata,
    }),
  });
  if (response.status !== 201) throw new Error(`register: ${response.status} ${await response.text()}`);
  const body: unknown = await response.json();
  const { client_id: clientId, client_secret: clientSecret } = body as { client_id: string; client_secret?: string };
  return { clientId, redirectUri, ...(clientSecret === undefined ? {} : { clientSecret }) };
}

export function authorizeUrl(
  issuer: string,
  client: TestClient,
  pair: PkcePair,
  params: Readonly<Record<string, string | undefined>> = {},
): string {
  const url = new URL(`${issuer}/authorize`);
  const all: Record<string, string | undefined> = {
    response_type: "code",
    client_id: client.clientId,
    redirect_uri: client.redirectUri,
    code_challenge: pair.challenge,
    code_challenge_method: "S256",
    state: "test-state",
    resource: `${issuer}/clock/mcp`,
    ...params,
  };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

export const postToken = (
  issuer: string,
  form: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
) => fetch(`${issuer}/token`, { method: "POST", body: new URLSearchParams(form), headers });

export const redeem = (
  issuer: string,
  client: TestClient,
  code: string,
  pair: PkcePair,
  more: Record<string, string> = {},
) =>
  postToken(issuer, {
    grant_type: "authorization_code",
    client_id: client.clientId,
    redirect_uri: client.redirectUri,
    code_verifier: pair.verifier,
    code,
    ...more,
  });

export const refresh = (issuer: string, client: TestClient, token: string, more: Record<string, string> = {}) =>
  postToken(issuer, { grant_type: "refresh_token", client_id: client.clientId, refresh_token: token, ...more });

/** The JSON of a token answer, whatever it holds; the caller checks. */
export const tokenAnswer = async (response: Response): Promise<TokenAnswer> => (await response.json()) as TokenAnswer;
