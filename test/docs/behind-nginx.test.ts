import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rawRequest } from "../attacks/raw-request.ts";
import { signIn } from "../support/browser-walk.ts";
import { selfSigned } from "../support/certificate.ts";
import { temporaryFolder } from "../support/command.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { freePort } from "../support/free-port.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { describeWithNginx, startNginx } from "../support/nginx.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { codeUnder, replaceOnce } from "./markdown.ts";

/** Authorization requests a minute and address. */
const limit = 4;

describeWithNginx("the nginx settings of the guide, in front of the demo", () => {
  let env: TestEnvironment;
  let nginx: Awaited<ReturnType<typeof startNginx>>;
  let url: string;
  let plainUrl: string;
  let token: string;

  beforeAll(async () => {
    const [port, plainPort] = [await freePort(), await freePort()];
    url = `https://localhost:${port}`;
    plainUrl = `http://localhost:${plainPort}`;
    env = await startEnvironment({
      change: (settings) => ({
        ...settings,
        baseUrl: url,
        trustedProxies: ["127.0.0.1"],
        limits: { authorize: limit },
      }),
      pool: (pool) => ({
        ...pool,
        clients: pool.clients.map((client) =>
          client.callbackUrls ? { ...client, callbackUrls: [`${url}/auth/callback`] } : client,
        ),
      }),
    });
    const folder = await temporaryFolder();
    const { certificate, key } = selfSigned();
    await writeFile(join(folder, "fullchain.pem"), certificate);
    await writeFile(join(folder, "key.pem"), key, { mode: 0o600 });
    const settings = [
      ["server 127.0.0.1:8000;", `server 127.0.0.1:${new URL(env.url).port};`],
      ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
      ["listen 80;", `listen 127.0.0.1:${plainPort};`],
      ["/etc/nginx/tls/fullchain.pem", join(folder, "fullchain.pem")],
      ["/etc/nginx/tls/key.pem", join(folder, "key.pem")],
    ].reduce(
      (text, [from = "", to = ""]) => replaceOnce(text, from, to),
      codeUnder("docs/guide/behind-a-proxy.md", "## nginx", "nginx"),
    );
    nginx = await startNginx(settings.replaceAll("server_name mcp.example.com", "server_name localhost"), port);
    setDefaultCACertificates([...getCACertificates("default"), certificate]);

    const client = await register(url);
    const pair = pkce();
    const resource = `${url}/clock/mcp`;
    const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource }), demoUser(env, "alice")));
    const answer = await redeem(url, client, location.searchParams.get("code") ?? "", pair, { resource });
    token = (await tokenAnswer(answer)).access_token;
  });
  afterAll(async () => {
    await nginx.close();
    await env.close();
  });

  test("a sign-in and a call go through, and every URL is the public one", async () => {
    const answer = await fetch(statelessRequest(`${url}/clock/mcp`, token, "tools/list"));
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('"sleep"');
    const refused = await fetch(statelessRequest(`${url}/clock/mcp`, undefined, "tools/list"));
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain(
      `resource_metadata="${url}/.well-known/oauth-protected-resource/clock/mcp"`,
    );
  });

  test("the events of a stream arrive one by one, not together at its end", async () => {
    const params = { name: "sleep", arguments: { ms: 400 } };
    const call = statelessRequest(`${url}/clock/mcp`, token, "tools/call", params);
    const body = JSON.parse(await call.clone().text());
    body.params._meta.progressToken = "p";
    const answer = await fetch(new Request(call, { body: JSON.stringify(body) }));
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const arrivals: number[] = [];
    let text = "";
    for await (const chunk of answer.body ?? []) {
      arrivals.push(performance.now());
      text += Buffer.from(chunk).toString();
    }
    expect(text).toContain("Slept 400 ms");
    expect(arrivals.length).toBeGreaterThan(3);
    expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(200);
  });

  test("a large message goes through, one that is larger than max_request_body does not", async () => {
    const send = (size: number) =>
      fetch(
        statelessRequest(`${url}/clock/mcp`, token, "tools/call", {
          name: "now",
          arguments: { timezone: "x".repeat(size) },
        }),
      );
    expect((await send(3 * 1024 * 1024)).status).toBe(200);
    expect((await send(5 * 1024 * 1024)).status).toBe(413);
  });

  test("another host name leads nowhere, and plain http to https", async () => {
    const sent = request(`${url}/clock/mcp`, {
      method: "POST",
      servername: "localhost",
      headers: { host: "evil.example" },
      agent: false,
    });
    sent.end();
    const [foreign]: IncomingMessage[] = await once(sent, "response");
    expect(foreign?.statusCode).toBe(421);
    sent.destroy();
    const redirect = await rawRequest(plainUrl, { target: "/clock/mcp?x=1" });
    expect([redirect.status, redirect.headers.location]).toEqual([301, "https://mcp.example.com/clock/mcp?x=1"]);
  });

  test("a load balancer that asks by address is told whether the process is ready", async () => {
    for (const host of ["10.0.0.7:8000", "10.0.0.7", "localhost"]) {
      const { status, body } = await rawRequest(env.url, { target: "/readyz", headers: { host } });
      expect([status, body]).toEqual([200, "ready\n"]);
    }
  });

  // Elsewhere loopback has one address only.
  test.skipIf(process.platform !== "linux")("each client has its own limit, whatever it says of itself", async () => {
    const statuses = async (localAddress: string, times: number): Promise<readonly (number | undefined)[]> => {
      const found: (number | undefined)[] = [];
      for (let n = 0; n < times; n += 1) {
        const headers = { "x-forwarded-for": `198.51.100.${n}` };
        const sent = request(`${url}/authorize`, { localAddress, headers, agent: false });
        sent.end();
        const [answer]: IncomingMessage[] = await once(sent, "response");
        found.push(answer?.statusCode);
        sent.destroy();
      }
      return found;
    };
    expect(await statuses("127.0.0.2", limit + 1)).toEqual([...Array(limit).fill(400), 429]);
    expect(await statuses("127.0.0.3", 1)).toEqual([400]);
  });
});
