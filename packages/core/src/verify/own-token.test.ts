import { expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { type AccessTokenClaims, type Keyring, openKeyring, signAccessToken } from "../keys/index.ts";
import { silentLogger, systemRandom } from "../runtime/index.ts";
import { memoryStore, StoreUnavailable } from "../store/index.ts";
import { readOwnToken } from "./own-token.ts";

const issuer = "https://mcp.example";
const claims: AccessTokenClaims = {
  iss: issuer,
  sub: "sub",
  aud: "https://mcp.example/clock/mcp",
  client_id: "client",
  scope: "read",
  exp: 2_000_000_000,
  iat: 1_900_000_000,
  jti: "jti",
  sid: "grant",
  principal: "user",
};

const newKeyring = (): Promise<Keyring> => {
  const clock = steppingClock();
  const random = systemRandom;
  const store = memoryStore({ clock, random });
  const keys = deriveRootKeys(["A".repeat(43)]);
  return openKeyring({ store, keys, clock, random, logger: silentLogger, checkInterval: 15_000 });
};

test("a token is read by keys that are current: not by one that was dropped meanwhile", async () => {
  const [old, young] = await Promise.all([newKeyring(), newKeyring()]);
  const token = signAccessToken(old, claims);
  expect(await readOwnToken(token, { keyring: old, issuer })).toEqual({ ...claims, kid: old.active().kid });

  let now = old;
  const current = async (): Promise<void> => {
    now = young;
  };
  const keyring: Keyring = { ...old, find: (kid) => now.find(kid), current };
  expect(await readOwnToken(token, { keyring, issuer })).toBe("token_signature_invalid");
});

test("keys that cannot be made current: it cannot be told, which is no refusal", async () => {
  const keyring = await newKeyring();
  const token = signAccessToken(keyring, claims);
  const away: Keyring = { ...keyring, current: () => Promise.reject(new StoreUnavailable("down")) };
  expect(await readOwnToken(token, { keyring: away, issuer })).toBe("store_unavailable");
  const broken: Keyring = { ...keyring, current: () => Promise.reject(new Error("no active key")) };
  await expect(readOwnToken(token, { keyring: broken, issuer })).rejects.toThrow("no active key");
});
