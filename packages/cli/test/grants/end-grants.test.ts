import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type EndGrantsOptions, endGrants } from "../../src/grants/end-grants.ts";
import { CommandFailure } from "../../src/process/failure.ts";

const settings = {
  SALLYPORT_BASE_URL: "https://mcp.example.com",
  SALLYPORT_SECRET: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
  SALLYPORT_STORE: "memory:",
  COGNITO_USER_POOL_ID: "eu-central-1_AbCdEfGhI",
  COGNITO_CLIENT_ID: "4example",
  COGNITO_CLIENT_SECRET: "none",
  COGNITO_DOMAIN: "example",
};
beforeEach(() => {
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("sallyport grants end says what is wrong, and ends nothing", () => {
  const one = "say whose grants are to end: one of --all, --user and --client";
  test.each<[string, EndGrantsOptions, Partial<typeof settings>, string]>([
    ["nobody named", {}, {}, one],
    ["two named", { all: true, user: "x" }, {}, one],
    ["an empty user", { user: "" }, {}, "--user is empty"],
    ["an empty client", { client: "" }, {}, "--client is empty"],
    [
      "a store in memory",
      { all: true },
      {},
      "store is memory:, which the running process alone has; restarting it ends every grant",
    ],
    [
      "a store that is not there",
      { all: true },
      { SALLYPORT_STORE: "sqlite:./elsewhere/store.db" },
      "there is no store at ./elsewhere/store.db; run this in the folder where the gateway runs",
    ],
  ])("%s", async (_, options, more, line) => {
    for (const [name, value] of Object.entries(more)) vi.stubEnv(name, value);
    const refused = endGrants(options);
    await expect(refused).rejects.toBeInstanceOf(CommandFailure);
    await expect(refused).rejects.toMatchObject({ lines: [line] });
  });

  test("no root secret: the switch would be another deployment's", async () => {
    vi.stubEnv("SALLYPORT_SECRET", undefined);
    await expect(endGrants({ all: true })).rejects.toThrow(/secret \(default\): is missing/);
  });
});
