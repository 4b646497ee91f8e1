import { expect, test } from "vitest";
import { changedSettings, liveCoreSettings, needRestart } from "./changed-settings.ts";
import type { CoreConfigInput } from "./index.ts";
import { coreSection, parseCoreConfig } from "./index.ts";
import { listSettings, schemaAt } from "./walk.ts";

const base: CoreConfigInput = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "app", clientSecret: "first-secret", domain: "auth" },
  scopes: { read: {} },
  groups: { readers: ["read"] },
};
const changes = (change: CoreConfigInput) =>
  changedSettings(coreSection, parseCoreConfig(base), parseCoreConfig(change));
const names = (change: CoreConfigInput) => changes(change).map(({ name }) => name);

test("settings that are the same after reading are no change, however they are written", () => {
  expect(names({ ...base, tokens: { accessTtl: "600s" }, groups: { readers: ["read"] }, logLevel: "info" })).toEqual(
    [],
  );
});

test("each changed setting is named as in a file, a record or a list as one", () => {
  const { cognito } = base;
  const changed = {
    ...base,
    cognito: { ...cognito, clientSecret: "other-secret" },
    scopes: { read: {}, write: {} },
    groups: {},
    tokens: { accessTtl: "5m", grantCheckInterval: "5s" },
    store: "memory:",
  } satisfies CoreConfigInput;
  expect(names(changed).toSorted()).toEqual([
    "cognito.client_secret",
    "groups",
    "scopes",
    "store",
    "tokens.access_ttl",
    "tokens.grant_check_interval",
  ]);
  const locked = needRestart(changes(changed), liveCoreSettings);
  expect(locked.map(({ setting }) => setting).toSorted()).toEqual([
    "cognito.client_secret",
    "store",
    "tokens.grant_check_interval",
  ]);
  expect(JSON.stringify(locked)).not.toContain("secret-");
  expect(JSON.stringify(locked)).not.toContain("other-secret");
});

test("what may change is the settings' own, and what everything hangs on is not among it", () => {
  for (const path of liveCoreSettings) expect(schemaAt(coreSection, path), path.join(".")).toBeDefined();
  const fixed = listSettings(coreSection)
    .filter(({ path }) => needRestart([{ path, name: path.join(".") }], liveCoreSettings).length > 0)
    .map(({ path }) => path.join("."));
  expect(fixed).toEqual(
    expect.arrayContaining(["baseUrl", "issuer", "store", "secret", "cognito.userPoolId", "tokens.grantCheckInterval"]),
  );
});
