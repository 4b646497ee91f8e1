import type { Exchange } from "./recorded-exchanges.ts";

/** A kind of secret, and where on the wire of the gateway it belongs. */
export type SecretKind =
  | "access token"
  | "refresh token"
  | "authorization code"
  | "client secret"
  | "client assertion"
  | "PKCE verifier"
  | "page cookie"
  | "transaction cookie"
  | "user cookie"
  | "sealed form"
  | "sealed list"
  | "state of the client"
  | "state for Cognito"
  | "nonce for Cognito"
  | "password"
  | "root secret"
  | "Cognito cookie"
  | "Cognito code"
  | "Cognito token"
  | "Cognito form field"
  | "credentials in a header"
  | "credential of the gateway's own"
  | "planted";

/** Secrets by their value. The first kind under which a value was seen stays. */
export type Secrets = Map<string, SecretKind>;

/** The answers of the gateway in which a kind of secret may stand: endpoint, status, and the header or the body. */
const places: Partial<Record<SecretKind, readonly string[]>> = {
  "access token": ["POST /token 200 body"],
  "refresh token": ["POST /token 200 body"],
  "authorization code": ["GET /auth/callback 302 location"],
  "client secret": ["POST /register 201 body"],
  "page cookie": ["GET /authorize 200 set-cookie", "GET /auth/callback 200 set-cookie"],
  "transaction cookie": ["POST /consent 302 set-cookie", "GET /authorize 302 set-cookie"],
  "user cookie": ["GET /auth/callback 302 set-cookie"],
  "sealed form": ["GET /authorize 200 body", "GET /auth/callback 200 body", "POST /consent 400 body"],
  "sealed list": ["GET /consent 200 body"],
  // Over /logout when another account is wanted.
  "state for Cognito": ["POST /consent 302 location", "GET /authorize 302 location", "GET /logout 302 location"],
  "nonce for Cognito": ["POST /consent 302 location", "GET /authorize 302 location", "GET /logout 302 location"],
  "state of the client": ["GET /auth/callback 302 location", "POST /consent 302 location"],
};

/** Gathers every secret that went over the wire, in either direction, however it was answered. */
export function collectSecrets(exchanges: readonly Exchange[], gateway: string, secrets: Secrets): void {
  for (const exchange of exchanges) {
    const ours = exchange.url.origin === gateway;
    const add = (kind: SecretKind, value: string | null | undefined): void => {
      // Shorter ones are names that a test made up ("x"), or the ends of cookies.
      if (value && value.length >= 12 && !secrets.has(value)) secrets.set(value, kind);
    };
    addRequest(exchange, ours, add);
    addResponse(exchange, ours, add);
  }
}

type Add = (kind: SecretKind, value: string | null | undefined) => void;

function addRequest(exchange: Exchange, ours: boolean, add: Add): void {
  const { url, requestHeaders, requestBody } = exchange;
  const [scheme = "", credentials = ""] = (requestHeaders.get("authorization") ?? "").split(" ");
  if (scheme === "Basic") {
    add("credentials in a header", credentials);
    const decoded = Buffer.from(credentials, "base64").toString();
    add("client secret", decodeURIComponent(decoded.slice(decoded.indexOf(":") + 1)));
  }
  if (scheme === "Bearer") add(ours ? "access token" : "Cognito token", credentials);
  if (url.pathname === "/auth/callback") {
    add("Cognito code", url.searchParams.get("code"));
    add("state for Cognito", url.searchParams.get("state"));
  }
  if (url.pathname === "/authorize") add("state of the client", url.searchParams.get("state"));
  if (url.pathname === "/oauth2/authorize") {
    add("state for Cognito", url.searchParams.get("state"));
    add("nonce for Cognito", url.searchParams.get("nonce"));
  }
  const form = new URLSearchParams(requestBody);
  add(ours ? "authorization code" : "Cognito code", form.get("code"));
  add(ours ? "refresh token" : "Cognito token", form.get("refresh_token"));
  add("PKCE verifier", form.get("code_verifier"));
  add("client secret", form.get("client_secret"));
  add("client assertion", form.get("client_assertion"));
  add("password", form.get("password"));
  add("sealed form", form.get("request"));
  add("sealed list", form.get("remembered"));
}

const ownCookie = (line: string): SecretKind =>
  line.includes("-page-") ? "page cookie" : line.includes("-user-") ? "user cookie" : "transaction cookie";

function addResponse({ url, method, headers, body }: Exchange, ours: boolean, add: Add): void {
  for (const line of headers.getSetCookie()) {
    add(ours ? ownCookie(line) : "Cognito cookie", line.split(";")[0]?.split("=").slice(1).join("="));
  }
  const location = headers.get("location");
  if (location !== null) {
    const query = new URL(location, url).searchParams;
    add(ours ? "authorization code" : "Cognito code", query.get("code"));
  }
  for (const [, name, value] of body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)) {
    add(name === "request" ? "sealed form" : name === "remembered" ? "sealed list" : "Cognito form field", value);
  }
  if (method !== "POST" || !headers.get("content-type")?.startsWith("application/json")) return;
  const answer: unknown = JSON.parse(body);
  if (typeof answer !== "object" || answer === null) return;
  const member = (name: string): string | undefined => {
    const value: unknown = Reflect.get(answer, name);
    return typeof value === "string" ? value : undefined;
  };
  add(ours ? "access token" : "Cognito token", member("access_token"));
  add(ours ? "refresh token" : "Cognito token", member("refresh_token"));
  add("Cognito token", member("id_token"));
  add("client secret", member("client_secret"));
}

/** Something that came out, and a name to find it by. */
export interface Output {
  readonly place: string;
  readonly text: string;
}

/** Each header and the body of an answer as one output. */
export const outputsOf = ({ method, url, status, headers, body }: Exchange): readonly Output[] => [
  ...[...headers].map(([name, text]) => ({ place: `${method} ${url.pathname} ${status} ${name}`, text })),
  { place: `${method} ${url.pathname} ${status} body`, text: body },
];

const grantIdLength = 43;
const prefixLength = 20;

/**
 * What to look for: the whole secret, its first 20 characters, and the same of each of its parts. The first part of a
 * code or refresh token is the grant's id, which is a name and stands in the audit by design.
 */
function needlesOf(secret: string, kind: SecretKind): readonly string[] {
  const parts = secret.split(".");
  const handle = (kind === "authorization code" || kind === "refresh token") && parts[0]?.length === grantIdLength;
  const pieces = handle ? parts.slice(1) : [secret, ...parts];
  return [
    secret,
    ...pieces.filter((piece) => piece.length > prefixLength).map((piece) => piece.slice(0, prefixLength)),
  ];
}

/** Every place where a secret, or its beginning, stands and does not belong; without the secret itself. */
export function findLeaks(secrets: Secrets, outputs: readonly Output[]): readonly string[] {
  const leaks = new Set<string>();
  for (const [secret, kind] of secrets) {
    for (const needle of new Set(needlesOf(secret, kind))) {
      for (const { place, text } of outputs) {
        if (text.includes(needle) && !places[kind]?.includes(place)) leaks.add(`${kind} in ${place}`);
      }
    }
  }
  return [...leaks];
}
