import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { type CoreConfigInput, memoryAudit, type Principal, sallyport, silentLogger } from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { freePort } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { testClock } from "../support/test-clock.ts";

const user = { username: "ada", password: "Password-1" };

const minute = 60_000;

/** A server that answers who calls it, behind a pool whose ID tokens lack what userInfo has. */
async function start(cognitoSettings: Partial<CoreConfigInput["cognito"]>) {
  const clock = testClock();
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const cognito = await startCognitoEmulator({
    port: 0,
    clock,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "readers" }],
      claimsToSuppress: ["custom:tenant", "custom:salary", "email", "email_verified"],
      users: [
        {
          ...user,
          groups: ["readers"],
          attributes: {
            email: "ada@example.com",
            email_verified: true,
            given_name: "Ada",
            "custom:tenant": "acme",
            "custom:salary": "1",
          },
        },
      ],
      clients: [
        {
          id: "4example",
          scopes: ["openid", "email", "profile"],
          callbackUrls: [`${url}/auth/callback`],
          // No grace: what is lost once is lost.
          refreshTokenRotation: { enabled: true },
        },
      ],
    },
  });
  onTestFinished(() => cognito.close());
  const audit = memoryAudit();
  const auth = await sallyport(
    {
      baseUrl: url,
      cognito: {
        userPoolId: cognito.userPoolId,
        clientId: "4example",
        clientSecret: null,
        domain: cognito.url,
        endpoint: cognito.url,
        ...cognitoSettings,
      },
      resources: [{ path: "/mcp", scopes: ["hello"] }],
      groups: { readers: ["hello"] },
      secret: [randomBytes(32).toString("base64url")],
      tokens: { upstreamMaxAge: "4m", upstreamGrace: "1m" },
      store: "memory:",
    },
    { clock, audit, logger: silentLogger },
  );
  onTestFinished(() => auth.close());
  const mcp = auth.protect((_request, who) => Response.json(who));
  const listener = getRequestListener(
    (request) => (new URL(request.url).pathname === "/mcp" ? mcp(request) : auth.fetch(request)),
    { hostname: new URL(url).host, overrideGlobalObjects: false },
  );
  const server = createServer((req, res) => void listener(req, res));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());

  const comeBack = async (): Promise<{ location: URL; redeemed: () => Promise<() => Promise<Response>> }> => {
    const client = await register(url);
    const pair = pkce();
    const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource: `${url}/mcp` }), user));
    const redeemed = async () => {
      const tokens = await tokenAnswer(await redeem(url, client, location.searchParams.get("code") ?? "", pair));
      return () => fetch(`${url}/mcp`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    };
    return { location, redeemed };
  };
  const asked = () => cognito.requests.filter(({ path }) => path === "/oauth2/userInfo").length;
  return { clock, cognito, audit: audit.events, comeBack, asked };
}

const principalOf = async (response: Response): Promise<Principal> => (await response.json()) as Principal;

test("an attribute that only userInfo has reaches the handler, if it is listed; the e-mail address does anyway", async () => {
  const { comeBack, asked, clock } = await start({ userInfo: true, claims: ["custom:tenant", "custom:missing"] });
  const call = await (await comeBack()).redeemed();
  const who = await principalOf(await call());
  expect(who).toMatchObject({ username: "ada", email: "ada@example.com" });
  expect(who.claims).toEqual({ "custom:tenant": "acme" });
  expect(asked()).toBe(1);

  clock.advance(4 * minute + 1);
  expect((await principalOf(await call())).claims).toEqual({ "custom:tenant": "acme" });
  expect(asked()).toBe(2);
});

test("nothing of userInfo where it is not asked for; every attribute of the tokens where none are listed", async () => {
  const { comeBack, asked } = await start({});
  const who = await principalOf(await (await (await comeBack()).redeemed())());
  expect(who.claims).toEqual({ given_name: "Ada" });
  expect(who).not.toHaveProperty("email");
  expect(asked()).toBe(0);
});

test("an outage of userInfo lets nobody in, and throws nobody out for good", async () => {
  const { comeBack, cognito, clock, audit } = await start({ userInfo: true });
  const outage = () => cognito.faults.set({ path: "/oauth2/userInfo", status: 503 });
  outage();
  expect((await comeBack()).location.searchParams.get("error")).toBe("temporarily_unavailable");
  cognito.faults.clear();

  const call = await (await comeBack()).redeemed();
  outage();
  clock.advance(4 * minute + 1);
  expect((await call()).status).toBe(200);
  clock.advance(minute);
  const meanwhile = await call();
  expect([meanwhile.status, meanwhile.headers.has("retry-after")]).toEqual([503, true]);
  cognito.faults.clear();
  clock.advance(minute);
  expect((await call()).status).toBe(200);
  expect(audit.map(({ action }) => action)).not.toContain("grant.ended");
});
