import { type MachineOptions, machineProvider } from "sallyport/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientKeys } from "../support/client-keys.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { callTool, tokenFolder } from "./session.ts";

const keys = clientKeys("ES256");
let env: TestEnvironment;

beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      machines: { ...settings.machines, robot: { scopes: ["mcp/read"], jwks: { keys: [keys.jwk] } } },
    }),
  });
});

afterAll(() => env.close());

const machine = (options: Pick<MachineOptions, "clientId" | "proof"> & { folder: string; issuer?: string }) =>
  machineProvider({
    serverUrl: `${env.url}/clock/mcp`,
    issuer: env.url,
    runtime: { clock: env.clock },
    ...options,
  });

const issued = () => env.audit.filter(({ action }) => action === "token.issued").length;

describe("a machine's identity", () => {
  it("comes in with its secret, and another process takes over the token", async () => {
    const folder = tokenFolder();
    const { clientId, clientSecret: secret } = env.machine;
    const url = `${env.url}/clock/mcp`;
    expect(await callTool(url, machine({ clientId, proof: { secret }, folder }), "now")).toMatch(/\d{4}-/);
    const before = issued();
    const again = machine({ clientId, proof: { secret }, folder });
    expect(await callTool(url, again, "now")).toMatch(/\d{4}-/);
    expect(issued()).toBe(before);
    env.clock.advance(595_000);
    expect(await callTool(url, again, "now")).toMatch(/\d{4}-/);
    expect(issued()).toBe(before + 1);
  });

  it("comes in with its key", async () => {
    const proof = { key: keys.privateKey.export({ format: "jwk" }), alg: "ES256" };
    const robot = machine({ clientId: "robot", proof, folder: tokenFolder() });
    expect(await callTool(`${env.url}/clock/mcp`, robot, "now")).toMatch(/\d{4}-/);
    env.clock.advance(595_000);
    expect((await robot.tokens())?.access_token).toBeTypeOf("string");
  });

  it("shows its secret to no other authorization server", async () => {
    const options = {
      clientId: "robot",
      proof: { secret: "s" },
      folder: tokenFolder(),
      issuer: "https://auth.example",
    };
    await expect(callTool(`${env.url}/clock/mcp`, machine(options), "now")).rejects.toThrow(/auth\.example/);
  });
});
