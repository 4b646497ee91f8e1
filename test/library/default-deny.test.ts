import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { sallyport } from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { freePort } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { testClock } from "../support/test-clock.ts";

/** The smallest adapter between Node's server and the web's Request and Response. */
async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  origin: string,
  app: (request: Request) => Promise<Response>,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const headers = new Headers();
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2)
    headers.append(req.rawHeaders[i] ?? "", req.rawHeaders[i + 1] ?? "");
  const body = chunks.length === 0 ? null : Buffer.concat(chunks);
  const response = await app(
    new Request(new URL(req.url ?? "/", origin), { method: req.method ?? "GET", headers, body }),
  );
  res.writeHead(response.status, [...response.headers].flat());
  res.end(Buffer.from(await response.arrayBuffer()));
}

const user = { username: "alice", password: "Password-1" };

test("regression: who has lost every group passes nowhere, also where no scope is required", async () => {
  const clock = testClock();
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const cognito = await startCognitoEmulator({
    port: 0,
    clock,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "readers" }],
      users: [{ ...user, groups: ["readers"] }],
      clients: [{ id: "4example", scopes: ["openid", "email", "profile"], callbackUrls: [`${url}/auth/callback`] }],
    },
  });
  onTestFinished(() => cognito.close());
  const auth = await sallyport(
    {
      baseUrl: url,
      cognito: {
        userPoolId: cognito.userPoolId,
        clientId: "4example",
        clientSecret: null,
        domain: cognito.url,
        endpoint: cognito.url,
      },
      resources: [{ path: "/mcp", scopes: ["hello"] }],
      groups: { readers: ["hello"] },
      tokens: { upstreamMaxAge: "1m" },
      secret: [randomBytes(32).toString("base64url")],
      store: "memory:",
    },
    { clock },
  );
  onTestFinished(() => auth.close());
  const mcp = auth.protect((_request, who) => Response.json(who.scopes));
  const app = (request: Request) => (new URL(request.url).pathname === "/mcp" ? mcp(request) : auth.fetch(request));
  const server = createServer((req, res) => void answer(req, res, url, app));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());

  const client = await register(url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource: `${url}/mcp` }), user));
  const tokens = await tokenAnswer(await redeem(url, client, location.searchParams.get("code") ?? "", pair));
  const call = () => fetch(`${url}/mcp`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  expect(await (await call()).json()).toEqual(["hello"]);

  cognito.pool.setGroups(user.username, []);
  clock.advance(61_000);
  const refused = await call();
  expect(refused.status).toBe(403);
  expect(refused.headers.get("www-authenticate")).toBeNull();
  expect(await refused.json()).toMatchObject({ error: { data: { reason: "not_permitted" } } });
});
