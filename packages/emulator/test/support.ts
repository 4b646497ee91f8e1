import { createHash } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from "jose";
import type { CognitoEmulator, CognitoEmulatorOptions, PoolConfig } from "../src/index.ts";
import { startCognitoEmulator } from "../src/index.ts";

export const secret = "test-secret-0123456789-abcdefgh";
export const otherSecret = "next-secret-0123456789-abcdefgh";
export const callback = "http://localhost:3000/callback";
export const verifier = "a-code-verifier-that-is-at-least-43-characters-long";
export const challenge = createHash("sha256").update(verifier).digest("base64url");
export const resource = "https://mcp.example.com/mcp";

/** What the clients for users have in common. */
export const web = {
  scopes: ["openid", "email", "profile", "mcp/read", "mcp/write"],
  callbackUrls: [callback, "http://localhost:3000/other", "myapp://callback?kept=1"],
  logoutUrls: ["http://localhost:3000/bye"],
};

/** A pool with a client for each rule. */
export const pool = {
  id: "us-east-1_TestPool1",
  resourceServers: [{ identifier: "mcp", scopes: [{ name: "read" }, { name: "write" }, { name: "admin" }] }],
  groups: [
    { name: "admins", precedence: 1, roleArn: "arn:aws:iam::123456789012:role/admins" },
    { name: "readers", precedence: 2, roleArn: "arn:aws:iam::123456789012:role/readers" },
    { name: "plain" },
  ],
  users: [
    {
      username: "alice",
      password: "Password-1",
      sub: "11111111-2222-4333-8444-555555555555",
      attributes: {
        email: "alice@example.com",
        email_verified: true,
        given_name: "Alice",
        phone_number: "+15550100",
        phone_number_verified: false,
        "custom:team": "blue",
      },
      groups: ["admins", "readers"],
    },
    { username: "bob", password: "Password-1" },
    { username: "dora", password: "Password-1", enabled: false },
    { username: "nora", password: "Password-1", status: "UNCONFIRMED" },
    { username: "rita", password: "Password-1", status: "RESET_REQUIRED" },
  ],
  clients: [
    { ...web, id: "web", name: "Web app", secret },
    { ...web, id: "twosecrets", secrets: [secret, otherSecret] },
    { ...web, id: "public", defaultRedirectUri: callback },
    { ...web, id: "implicit", allowedOAuthFlows: ["implicit"] },
    { ...web, id: "rotating", refreshTokenRotation: { enabled: true, retryGracePeriodSeconds: 10 } },
    { ...web, id: "strict", refreshTokenRotation: { enabled: true } },
    { ...web, id: "irrevocable", enableTokenRevocation: false },
    { ...web, id: "blind", readAttributes: ["given_name"] },
    { ...web, id: "short", accessTokenValidity: "5m", idTokenValidity: "10m", refreshTokenValidity: "60m" },
    { id: "machine", secret, allowedOAuthFlows: ["client_credentials"], scopes: ["mcp/read", "mcp/write"] },
  ],
} satisfies PoolConfig;

/** A clock that only moves when told to. */
export function manualClock() {
  let now = Date.UTC(2026, 0, 1);
  return {
    now: () => now,
    advance: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

export function startEmulator(options: Partial<CognitoEmulatorOptions> = {}): Promise<CognitoEmulator> {
  return startCognitoEmulator({ port: 0, pool, ...options });
}

/** fetch that never follows a redirect. */
export function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { redirect: "manual", headers });
}

export function post(url: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(url, { method: "POST", redirect: "manual", headers, body: new URLSearchParams(form) });
}

export function authorizeUrl(emulator: CognitoEmulator, parameters: Record<string, string | undefined> = {}): string {
  const url = new URL(emulator.authorizeUrl);
  const defaults = { response_type: "code", client_id: "public", redirect_uri: callback, state: "s-1" };
  for (const [name, value] of Object.entries({ ...defaults, ...parameters })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

export function location(response: Response): string {
  return response.headers.get("location") ?? "";
}

/** `name=value` pairs of every cookie that was set. */
export function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
}

/** Opens the sign-in page that an authorization request leads to. */
export async function openForm(emulator: CognitoEmulator, parameters: Record<string, string | undefined> = {}) {
  const loginUrl = location(await get(authorizeUrl(emulator, parameters)));
  const response = await get(loginUrl);
  const html = await response.text();
  const [, csrf = ""] = /name="_csrf" value="([^"]*)"/.exec(html) ?? [];
  return { loginUrl, response, html, csrf, cookies: cookiesOf(response) };
}

/** Signs in through the form; answers the response of the form. */
export async function submitForm(
  emulator: CognitoEmulator,
  parameters: Record<string, string | undefined> = {},
  user: { username: string; password: string } = { username: "alice", password: "Password-1" },
): Promise<Response> {
  const { loginUrl, csrf, cookies } = await openForm(emulator, parameters);
  return post(loginUrl, { _csrf: csrf, ...user }, { cookie: cookies });
}

export async function getCode(
  emulator: CognitoEmulator,
  parameters: Record<string, string | undefined> = {},
  username = "alice",
): Promise<string> {
  const response = await submitForm(emulator, parameters, { username, password: "Password-1" });
  return new URL(location(response)).searchParams.get("code") ?? "";
}

export interface Tokens {
  status: number;
  access_token: string;
  id_token?: string;
  refresh_token?: string;
  error?: string;
  [member: string]: unknown;
}

/** The secret of a client that has one. */
export function secretOf(clientId: string): Record<string, string> {
  return ["web", "twosecrets", "machine"].includes(clientId) ? { client_secret: secret } : {};
}

export async function tokenRequest(emulator: CognitoEmulator, form: Record<string, string>): Promise<Tokens> {
  const response = await post(emulator.tokenUrl, { ...secretOf(form.client_id ?? ""), ...form });
  return { ...((await response.json()) as Tokens), status: response.status };
}

/** A whole sign-in: form, code, tokens. */
export async function signIn(
  emulator: CognitoEmulator,
  parameters: Record<string, string | undefined> = {},
  username = "alice",
): Promise<Tokens> {
  const code = await getCode(emulator, parameters, username);
  return tokenRequest(emulator, {
    grant_type: "authorization_code",
    client_id: parameters.client_id ?? "public",
    code,
    redirect_uri: callback,
  });
}

export function refresh(emulator: CognitoEmulator, token: string | undefined, clientId = "public"): Promise<Tokens> {
  return tokenRequest(emulator, { grant_type: "refresh_token", client_id: clientId, refresh_token: token ?? "" });
}

export function claims(token: string | undefined): JWTPayload {
  return decodeJwt(token ?? "");
}

export function header(token: string | undefined): unknown {
  return decodeProtectedHeader(token ?? "");
}
