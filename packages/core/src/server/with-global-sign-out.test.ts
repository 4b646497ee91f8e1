import { describe, expect, test } from "vitest";
import { testSettings } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import { ConfigError, parseCoreConfig } from "../config/index.ts";
import { silentLogger } from "../runtime/index.ts";
import { withGlobalSignOut } from "./with-global-sign-out.ts";

const clock = steppingClock();
const { provider } = testPool(clock);
const passedIn = { logger: silentLogger, clock, observer: undefined };
const settings = testSettings();
const cognito = (globalSignOut: boolean) =>
  parseCoreConfig({ ...settings, cognito: { ...settings.cognito, globalSignOut } }).cognito;

describe("cognito.global_sign_out", () => {
  test("off: the provider is as it was", async () => {
    expect(await withGlobalSignOut(provider, false, cognito(false), passedIn)).toBe(provider);
  });

  test("on: Cognito's can sign users out everywhere", async () => {
    const able = await withGlobalSignOut(provider, false, cognito(true), passedIn);
    expect(able.signOutEverywhere).toBeTypeOf("function");
  });

  test("on, with a provider that was handed in: it counts what that one can", async () => {
    const able = { ...provider, signOutEverywhere: async () => {} };
    expect(await withGlobalSignOut(able, true, cognito(true), passedIn)).toBe(able);
    const refused = withGlobalSignOut(provider, true, cognito(true), passedIn);
    await expect(refused).rejects.toBeInstanceOf(ConfigError);
    await expect(refused).rejects.toMatchObject({ problems: [{ setting: "cognito.global_sign_out" }] });
  });
});
