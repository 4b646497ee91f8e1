import { describe, expect, expectTypeOf, test } from "vitest";
import { sallyport } from "../index.ts";
import { silentLogger } from "../runtime/index.ts";
import type { SallyportSettings } from "./said-left-out.ts";

const settings: SallyportSettings = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  resources: [{ path: "/mcp" }],
  scopes: { read: {}, write: {} },
  secret: ["Zk3vGm8wXq1rTn5yBc7dHf9jLp2sVa4e"],
  store: "memory:",
};
const client = { name: "App", redirectUris: ["https://app.example/cb"] };

const start = async (more: object): Promise<string> => {
  try {
    // As from JavaScript, where no compiler stands in the way.
    const auth = await sallyport({ ...settings, ...more }, { logger: silentLogger });
    await auth.close();
    return "started";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
};

describe("what bounds somebody and is left out", () => {
  test.each<[string, object, string]>([
    [
      "cognito.clientSecret",
      { cognito: { ...settings.cognito, clientSecret: undefined } },
      "cognito.clientSecret (default): is missing: set cognito.clientSecret to the secret; for a public app client, which has no secret, to null",
    ],
    [
      "clients.*.scopes",
      { clients: { "my app": client } },
      'clients."my app".scopes (code): is missing: list them, or set clients."my app".scopes to null for every scope',
    ],
    [
      "machines.*.resources",
      { machines: { robot: { scopes: ["read"] } } },
      "machines.robot.resources (code): is missing: list them, or set machines.robot.resources to null for every resource",
    ],
    [
      "secret",
      { secret: undefined },
      "secret (code): is missing: set secret to [process.env.SALLYPORT_SECRET], at least 32 random bytes",
    ],
  ])("%s: the error names it and says what to write", async (_, more, message) => {
    expect(await start(more)).toContain(message);
  });

  test("is told together with everything else that is wrong", async () => {
    const said = await start({ baseUrl: "nonsense", machines: { robot: { scopes: ["read"] } } });
    expect(said).toMatch(/2 problems:\n {2}baseUrl .*\n {2}machines\.robot\.resources /);
  });

  test("is good where it is said to be left out, or is there", async () => {
    expect(
      await start({
        clients: { one: { ...client, scopes: null }, two: { ...client, scopes: ["read"] } },
        machines: { robot: { scopes: ["read"], resources: null }, other: { scopes: ["read"], resources: ["/mcp"] } },
      }),
    ).toBe("started");
  });

  test.each([
    ["a list for a table", { machines: [] }, "machines (code): must be a table, not a list"],
    ["an entry that is none", { clients: { one: "x" } }, "clients.one (code): must be a table, not a text"],
  ])("%s stays the schema's to refuse", async (_, more, message) => expect(await start(more)).toContain(message));

  test("does not compile", () => {
    expectTypeOf<{ name: string; redirectUris: string[] }>().not.toExtend<
      NonNullable<SallyportSettings["clients"]>[string]
    >();
    expectTypeOf<{ scopes: string[] }>().not.toExtend<NonNullable<SallyportSettings["machines"]>[string]>();
    expectTypeOf<Omit<SallyportSettings, "secret">>().not.toExtend<SallyportSettings>();
    expectTypeOf<Omit<SallyportSettings["cognito"], "clientSecret">>().not.toExtend<SallyportSettings["cognito"]>();
  });
});
