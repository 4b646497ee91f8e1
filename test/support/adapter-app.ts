import { createServer, type RequestListener } from "node:http";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { memoryAudit, type Sallyport, sallyport, silentLogger } from "sallyport";
import { onTestFinished } from "vitest";
import { freePort } from "./free-port.ts";

type Settings = Parameters<typeof sallyport>[0];

/** Settings that the adapters' tests share: one resource, a scope for all and one to step up to. */
const settings = {
  resources: [{ path: "/mcp", requiredScopes: ["notes/read"] }],
  scopes: {
    "notes/read": { description: "Read" },
    "notes/write": { description: "Write", includes: ["notes/read"], stepUp: true },
  },
  groups: { writers: ["notes/write"] },
  secret: ["n0t-a-secret-of-anybody-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  store: "memory:",
} satisfies Partial<Settings>;

export const writer = { username: "alice", password: "Password-1" };

/** The library in front of a pool of its own, for an app that will listen at `port`. Closed at the end of the test. */
export async function startAuth(
  options: { readonly path?: string; readonly change?: Partial<Settings> } = {},
): Promise<{ readonly auth: Sallyport; readonly port: number; readonly url: string }> {
  const port = await freePort();
  const url = `http://localhost:${port}${options.path ?? ""}`;
  const cognito = await startCognitoEmulator({
    port: 0,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "writers" }],
      users: [{ ...writer, groups: ["writers"] }],
      clients: [{ id: "4example", scopes: ["openid", "email", "profile"], callbackUrls: [`${url}/auth/callback`] }],
    },
  });
  onTestFinished(() => cognito.close());
  const auth = await sallyport(
    {
      ...settings,
      baseUrl: url,
      cognito: {
        userPoolId: "eu-central-1_AbCdEfGhI",
        clientId: "4example",
        clientSecret: null,
        domain: cognito.url,
        endpoint: cognito.url,
      },
      ...options.change,
    },
    { logger: silentLogger, audit: memoryAudit() },
  );
  onTestFinished(() => auth.close());
  return { auth, port, url };
}

/** Listens with what an app is, until the end of the test. */
export async function listen(listener: RequestListener, port: number): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
}
