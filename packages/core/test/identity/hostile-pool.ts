import { generateKeyPair, type KeyObject } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { exportJWK, type JWK, SignJWT } from "jose";
import type { Clock } from "../../src/runtime/index.ts";

/** What the pool answers to one request: an answer, no answer at all, or a cut connection. */
export type Reply =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | "hang"
  | "hang in the body"
  | "reset";
export interface Received {
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}
export type Route = "discovery" | "jwks" | "token" | "revoke" | "userInfo";

export const poolId = "eu-central-1_Test00001";
export const clientId = "test1client";
export const clientSecret = "test1secret";
export const user = "5c1f0c0e-0000-4000-8000-000000000001";

/** A clock that stands still until it is told otherwise. Starts at the real time. */
export function stoppedClock(): Clock & { advance(ms: number): void } {
  let now = Date.now();
  let monotonic = 0;
  return {
    now: () => now,
    monotonic: () => monotonic,
    sleep: async () => {},
    advance: (ms) => {
      now += ms;
      monotonic += ms;
    },
  };
}

interface Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
}

async function key(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } };
}

/** A user pool on 127.0.0.1 that says whatever a test wants, with tokens shaped as Cognito's. */
export async function hostilePool(clock: Clock) {
  const keys = { id: await key("id-key="), access: await key("access-key="), foreign: await key("id-key=") };
  const received: Record<Route, Received[]> = { discovery: [], jwks: [], token: [], revoke: [], userInfo: [] };
  const routes = new Map<Route, (request: Received) => Reply>();
  let published: readonly JWK[] = [keys.id.jwk, keys.access.jwk];

  const server = createServer((request, response) => {
    void handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const issuer = `${url}/${poolId}`;

  const paths: Readonly<Record<string, Route>> = {
    [`/${poolId}/.well-known/openid-configuration`]: "discovery",
    [`/${poolId}/.well-known/jwks.json`]: "jwks",
    "/oauth2/token": "token",
    "/oauth2/revoke": "revoke",
    "/oauth2/userInfo": "userInfo",
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const route = paths[request.url ?? ""];
    if (route === undefined) {
      response.writeHead(404).end();
      return;
    }
    const seen = { authorization: request.headers.authorization, form: new URLSearchParams(text) };
    received[route].push(seen);
    const reply = routes.get(route)?.(seen) ?? standard(route);
    if (reply === "hang") return;
    if (reply === "reset") {
      response.destroy();
      return;
    }
    if (reply === "hang in the body") {
      response.writeHead(200, { "content-type": "application/json" }).write('{"access');
      return;
    }
    const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? "");
    response.writeHead(reply.status ?? 200, { "content-type": "application/json;charset=UTF-8", ...reply.headers });
    response.end(reply.body === undefined ? "" : body);
  }

  function standard(route: Route): Reply {
    if (route === "jwks") return { body: { keys: published } };
    if (route === "discovery") return { body: { issuer, jwks_uri: `${issuer}/.well-known/jwks.json` } };
    if (route === "userInfo") return { body: { sub: user, username: "ada" } };
    return route === "revoke" ? {} : { status: 400, body: { error: "invalid_grant" } };
  }

  const seconds = (): number => Math.floor(clock.now() / 1000);
  const sign = (claims: Record<string, unknown>, signer: Key, header: { alg?: string; kid?: string | null } = {}) => {
    const kid = header.kid === undefined ? signer.kid : header.kid;
    return new SignJWT(claims)
      .setProtectedHeader({ ...(kid === null ? {} : { kid }), alg: header.alg ?? "RS256" })
      .sign(signer.privateKey);
  };

  const idClaims = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
    sub: user,
    "cognito:groups": ["readers"],
    "cognito:username": "ada",
    email: "ada@example.com",
    email_verified: true,
    iss: issuer,
    aud: clientId,
    nonce: "the-nonce",
    origin_jti: "o",
    event_id: "e",
    token_use: "id",
    auth_time: seconds() - 10,
    exp: seconds() + 3600,
    iat: seconds(),
    jti: "i",
    ...changes,
  });
  const accessClaims = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
    sub: user,
    "cognito:groups": ["readers", "writers"],
    iss: issuer,
    version: 2,
    client_id: clientId,
    token_use: "access",
    scope: "openid email",
    auth_time: seconds() - 10,
    exp: seconds() + 3600,
    iat: seconds(),
    jti: "a",
    username: "ada",
    ...changes,
  });

  return {
    url,
    issuer,
    keys,
    received,
    /** Answers a route in another way from now on. */
    answer: (route: Route, reply: Reply | ((request: Received) => Reply)) =>
      routes.set(route, typeof reply === "function" ? reply : () => reply),
    /** Answers a route as a good pool does again. */
    restore: (route: Route) => routes.delete(route),
    publish: (jwks: readonly JWK[]) => {
      published = jwks;
    },
    idClaims,
    accessClaims,
    sign,
    idToken: (changes: Record<string, unknown> = {}) => sign(idClaims(changes), keys.id),
    accessToken: (changes: Record<string, unknown> = {}) => sign(accessClaims(changes), keys.access),
    machineToken: (changes: Record<string, unknown> = {}) =>
      sign(
        accessClaims({
          sub: "machine1",
          client_id: "machine1",
          scope: "mcp/read mcp/write",
          username: undefined,
          "cognito:groups": undefined,
          ...changes,
        }),
        keys.access,
      ),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export type HostilePool = Awaited<ReturnType<typeof hostilePool>>;
