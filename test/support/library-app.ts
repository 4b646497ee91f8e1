import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type CognitoEmulator, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { type AnyClaims, type Sallyport, type SallyportRuntime, type SallyportSettings, sallyport } from "sallyport";
import { signIn } from "./browser-walk.ts";
import { freePort } from "./free-port.ts";
import { authorizeUrl, pkce, redeem, register, type TestClient, tokenAnswer } from "./oauth-client.ts";
import { type TestClock, testClock } from "./test-clock.ts";

const password = "Password-1";

/** An app with the library in it, over a local Cognito with the users alice (editors) and bob (readers). */
export interface LibraryApp<Claims extends object = AnyClaims> {
  readonly url: string;
  readonly auth: Sallyport<Claims>;
  readonly clock: TestClock;
  readonly cognito: CognitoEmulator;
  /** Signs a user in through a client of its own. */
  signIn(username: string, scope: string): Promise<LibrarySession>;
  close(): Promise<void>;
}

export interface LibrarySession {
  readonly client: TestClient;
  readonly token: string;
  readonly refreshToken: string;
}

/**
 * Starts it with one resource, `/mcp`.
 * @param make the app behind the doors
 */
export async function startLibraryApp<Claims extends object = AnyClaims>(
  make: (auth: Sallyport<Claims>) => Parameters<Sallyport<Claims>["protect"]>[0],
  {
    settings = {},
    runtime = {},
    upstreamScopes = [],
    clock = testClock(),
  }: {
    /** The app's and the pool's. */
    readonly clock?: TestClock;
    readonly settings?: Partial<SallyportSettings>;
    readonly runtime?: Partial<SallyportRuntime>;
    readonly upstreamScopes?: readonly string[];
  } = {},
): Promise<LibraryApp<Claims>> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const scopes = ["openid", "email", "profile", ...upstreamScopes];
  const cognito = await startCognitoEmulator({
    port: 0,
    clock,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "readers" }, { name: "editors" }],
      users: [
        {
          username: "alice",
          password,
          groups: ["editors"],
          attributes: { email: "alice@example.com", email_verified: "true", "custom:department": "sales" },
        },
        { username: "bob", password, groups: ["readers"] },
      ],
      clients: [{ id: "4example", scopes, callbackUrls: [`${url}/auth/callback`] }],
    },
  });
  const { userPoolId } = cognito;
  const auth = await sallyport<Claims>(
    {
      baseUrl: url,
      cognito: {
        userPoolId,
        clientId: "4example",
        clientSecret: null,
        domain: cognito.url,
        endpoint: cognito.url,
        scopes,
      },
      resources: [{ path: "/mcp" }],
      scopes: { "notes/read": {}, "notes/write": { includes: ["notes/read"] } },
      groups: { readers: ["notes/read"], editors: ["notes/write"] },
      secret: [randomBytes(32).toString("base64url")],
      store: "memory:",
      ...settings,
    },
    { clock, ...runtime },
  );
  const mcp = auth.protect(make(auth));
  const app = (request: Request) => (new URL(request.url).pathname === "/mcp" ? mcp(request) : auth.fetch(request));
  const server = createServer(getRequestListener(app));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));

  return {
    url,
    auth,
    clock,
    cognito,
    async signIn(username, scope) {
      const client = await register(url);
      const pair = pkce();
      const location = await signIn(authorizeUrl(url, client, pair, { resource: `${url}/mcp`, scope }), {
        username,
        password,
      });
      const code = new URL(location).searchParams.get("code") ?? "";
      const { access_token: token, refresh_token: refreshToken } = await tokenAnswer(
        await redeem(url, client, code, pair),
      );
      return { client, token, refreshToken };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await auth.close();
      await cognito.close();
    },
  };
}
