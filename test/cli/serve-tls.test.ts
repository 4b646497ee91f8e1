import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { selfSigned } from "../support/certificate.ts";
import { ready, runCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";

const secret = (): string => randomBytes(32).toString("base64url");

/** A settings file beside its certificate and key. */
async function settings(pair: { readonly certificate: string; readonly key: string }) {
  const folder = await temporaryFolder();
  const port = await freePort();
  const file = join(folder, "sallyport.toml");
  const paths = { certificate: join(folder, "fullchain.pem"), key: join(folder, "key.pem") };
  await writeFile(paths.certificate, pair.certificate);
  await writeFile(paths.key, pair.key, { mode: 0o600 });
  await writeFile(
    file,
    `base_url = "https://localhost:${port}"
listen = "127.0.0.1:${port}"
store = "memory:"
[tls]
certificate = "fullchain.pem"
key = "key.pem"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "app"
client_secret = "secretsecretsecret"
domain = "auth.example.com"
[[resources]]
path = "/tool/mcp"
scopes = ["mcp/read"]
`,
  );
  return { file, port, paths, url: `https://localhost:${port}` };
}

const env = { SALLYPORT_SECRET: secret() };

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Serial number of the certificate that was shown. */
  readonly serial: string;
}

/** A request that trusts one certificate alone, over a connection of its own if no agent is given. */
async function ask(url: string, certificate: string, agent: Agent | false = false): Promise<Answer> {
  const sent = request(url, { ca: certificate, agent });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, "response");
  if (!(response?.socket instanceof TLSSocket)) throw new Error("no answer over TLS");
  const { serialNumber } = response.socket.getPeerCertificate();
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  return { status: response.statusCode ?? 0, body, serial: serialNumber };
}

describe("sallyport serve with a certificate", () => {
  test("speaks https, also in what it says of itself; a renewed certificate is taken over without an interruption", async () => {
    const first = selfSigned();
    const { file, url, paths } = await settings(first);
    const command = startCommand(["serve", "--config", file], { env });
    expect(await ready(command)).toBe(`ready ${url}`);
    const metadata = await ask(`${url}/.well-known/oauth-authorization-server`, first.certificate);
    expect(JSON.parse(metadata.body)).toMatchObject({ issuer: url, token_endpoint: `${url}/token` });
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => kept.destroy());
    const before = await ask(`${url}/healthz`, first.certificate, kept);

    const next = selfSigned();
    await writeFile(`${paths.certificate}.new`, next.certificate);
    await writeFile(`${paths.key}.new`, next.key, { mode: 0o600 });
    await rename(`${paths.certificate}.new`, paths.certificate);
    await rename(`${paths.key}.new`, paths.key);
    command.child.kill("SIGHUP");
    await command.waitForLine((line) => line.includes("another certificate is in use"));
    const after = await ask(`${url}/healthz`, next.certificate);
    expect(after.status).toBe(200);
    expect(after.serial).not.toBe(before.serial);
    // The connection of before is still the same one.
    expect(await ask(`${url}/healthz`, first.certificate, kept)).toEqual(before);

    kept.destroy();
    expect(await command.stop()).toEqual({ code: 0, signal: null });
    expect(command.output("stderr")).not.toMatch(/warn|error/i);
    expect(command.output("stdout") + command.output("stderr")).not.toContain("PRIVATE KEY");
  });

  test("does not start with another's key, and names both files", async () => {
    const { file, paths } = await settings({ certificate: selfSigned().certificate, key: selfSigned().key });
    const { code, lines } = await runCommand(["serve", "--config", file], { env });
    expect(code).toBe(1);
    expect(lines).toEqual([
      `sallyport: tls.key: the key in ${paths.key} does not belong to the certificate in ${paths.certificate}; give the two that were made together`,
    ]);
  });

  test("config check names what clients would not like", async () => {
    const until = new Date(Date.now() + 3 * 86_400_000);
    const { file, paths } = await settings(selfSigned({ names: ["mcp.example.com"], until }));
    const { code, lines } = await runCommand(["config", "check", "--config", file], { env });
    expect(code).toBe(0);
    expect(lines).toEqual([
      `warning: tls.certificate: ${paths.certificate} is not for localhost; clients that come by such a name will refuse it`,
      expect.stringMatching(/^warning: tls\.certificate: \S+ ends on \S+; renew it$/),
    ]);
  });
});
