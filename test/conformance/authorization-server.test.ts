import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { type DocumentHost, startDocumentHost } from "../support/document-host.ts";
import { demoUser, freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { register } from "../support/oauth-client.ts";
import { runAuthorizationConformance, shortfalls } from "./run-suite.ts";

/** Public: where `none` is advertised, the suite leaves out a secret even if it has one. */
const configured = { clientId: "conformance-suite" };

describe("the conformance suite against the authorization server", () => {
  let env: TestEnvironment;
  let port: number;
  let host: DocumentHost;
  beforeAll(async () => {
    port = await freePort();
    host = await startDocumentHost();
    env = await startEnvironment({
      runtime: { network: host.network },
      change: (settings) => ({
        ...settings,
        clients: {
          [configured.clientId]: {
            name: "Conformance suite",
            redirectUris: [`http://127.0.0.1:${port}/callback`],
          },
        },
      }),
    });
  });
  afterAll(async () => {
    await env.close();
    await host.close();
  });

  const authorize = async (url: string): Promise<void> => {
    const answer = await fetch(await signIn(url, demoUser(env, "alice")));
    if (!answer.ok) throw new Error(`the suite answered its redirect with ${answer.status}`);
  };
  const run = (client: { clientId: string }) =>
    runAuthorizationConformance({ ...client, issuer: env.url, resource: `${env.url}/clock/mcp`, port, authorize });

  it("accepts it with a configured client", async () => {
    const result = await run(configured);
    expect(shortfalls(result), result.output).toEqual([]);
    expect(result.scenarios.map(({ name, status }) => [name, status])).toEqual([
      ["authorization-code-grant", "SUCCESS"],
      ["authorization-server-metadata-endpoint", "SUCCESS"],
    ]);
    expect(result.exitCode).toBe(0);
  });

  it("accepts it with a client that registered itself", async () => {
    const { clientId } = await register(env.url, { redirect_uris: [`http://127.0.0.1:${port}/callback`] });
    const result = await run({ clientId });
    expect(shortfalls(result), result.output).toEqual([]);
    expect(result.exitCode).toBe(0);
  });

  it("accepts it with a client that is known by its metadata document", async () => {
    const clientId = "https://client.example/conformance.json";
    const redirect_uris = ["http://127.0.0.1/callback"];
    host.publish(clientId, { client_id: clientId, client_name: "Conformance suite", redirect_uris });
    const result = await run({ clientId });
    expect(shortfalls(result), result.output).toEqual([]);
    expect(result.exitCode).toBe(0);
  });
});
