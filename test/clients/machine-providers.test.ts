import {
  Client,
  ClientCredentialsProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { clientKeys } from "../support/client-keys.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";

const algorithms = ["ES256", "RS256", "PS256", "EdDSA"] as const;
const keys = {
  ES256: clientKeys("ES256"),
  RS256: clientKeys("RS256"),
  PS256: clientKeys("PS256"),
  EdDSA: clientKeys("EdDSA"),
};
const minutes = 60_000;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      machines: {
        ...settings.machines,
        robot: { scopes: ["mcp/read"], jwks: { keys: algorithms.map((alg) => keys[alg].jwk) } },
      },
    }),
  });
});
afterAll(() => env.close());

async function connect(authProvider: ClientCredentialsProvider | PrivateKeyJwtProvider): Promise<Client> {
  const client = new Client({ name: "agent", version: "1" });
  onTestFinished(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(`${env.url}/clock/mcp`), { authProvider }));
  return client;
}

const now = async (client: Client): Promise<void> => {
  const answer = await client.callTool({ name: "now", arguments: { timezone: "Europe/Berlin" } });
  expect(answer.structuredContent).toMatchObject({ timezone: "Europe/Berlin" });
};

describe("SDK v2's providers for machines", () => {
  test("ClientCredentialsProvider: a machine's own Cognito id and secret", async () => {
    const provider = new ClientCredentialsProvider({ ...env.machine, expectedIssuer: env.url });
    const client = await connect(provider);
    await now(client);
    expect(provider.tokens()).not.toHaveProperty("refresh_token");
    expect(decodeJwt(provider.tokens()?.access_token ?? "")).toMatchObject({
      sub: env.machine.clientId,
      principal: "machine",
      aud: `${env.url}/clock/mcp`,
      scope: "mcp/read",
    });
    expect(env.audit.findLast(({ tool }) => tool === "now")?.client).toBe(env.machine.clientId);
  });

  test.each(algorithms)("PrivateKeyJwtProvider: a registered key, %s", async (algorithm) => {
    const asked = env.cognito.requests.length;
    const { privateKey: key } = keys[algorithm];
    // The SDK takes Ed25519 as a JWK only.
    const privateKey =
      algorithm === "EdDSA"
        ? { ...key.export({ format: "jwk" }) }
        : key.export({ type: "pkcs8", format: "pem" }).toString();
    const provider = new PrivateKeyJwtProvider({
      clientId: "robot",
      privateKey,
      algorithm,
      expectedIssuer: env.url,
    });
    await now(await connect(provider));
    expect(decodeJwt(provider.tokens()?.access_token ?? "")).toMatchObject({ sub: "robot", principal: "machine" });
    expect(env.audit.findLast(({ tool }) => tool === "now")?.client).toBe("robot");
    expect(env.cognito.requests).toHaveLength(asked);
  });

  // The last one: the SDK signs by the machine's own clock, which the environment is then ahead of.
  test("ClientCredentialsProvider gets itself a new token when the old one has run out", async () => {
    const provider = new ClientCredentialsProvider({ ...env.machine, expectedIssuer: env.url });
    const client = await connect(provider);
    const before = provider.tokens()?.access_token;
    env.clock.advance(11 * minutes);
    await now(client);
    expect(provider.tokens()?.access_token).not.toBe(before);
  });
});
