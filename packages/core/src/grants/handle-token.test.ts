import { describe, expect, test } from "vitest";
import { secretA, secretB, testReplica } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { parseHandleToken } from "./index.ts";

const keys = deriveRootKeys([secretA]);

async function tokens() {
  const clock = steppingClock();
  const replica = testReplica({ clock, pool: testPool(clock) });
  const { code } = await replica.code();
  const { refreshToken } = await replica.redeem(code);
  return { code, refresh: refreshToken ?? "" };
}

describe("a code or refresh token", () => {
  test("is read with its grant, number and hash", async () => {
    const { code, refresh } = await tokens();
    const [readCode, readRefresh] = [parseHandleToken(code, keys), parseHandleToken(refresh, keys)];
    expect(readCode).toMatchObject({ n: 0, text: code, grantId: code.split(".")[0] });
    expect(readRefresh).toMatchObject({ n: 1, text: refresh, grantId: readCode?.grantId });
    expect(readRefresh?.hash).not.toBe(readCode?.hash);
    expect(refresh).not.toContain(readRefresh?.hash);
  });

  test("is read after a change of secrets for as long as the old one is listed", async () => {
    const { refresh } = await tokens();
    expect(parseHandleToken(refresh, deriveRootKeys([secretB, secretA]))?.text).toBe(refresh);
    expect(parseHandleToken(refresh, deriveRootKeys([secretB]))).toBeUndefined();
  });

  const other = "z".repeat(43);
  test.each<[string, (parts: string[]) => string]>([
    ["another grant", ([, n, kid, secret, tag]) => [other, n, kid, secret, tag].join(".")],
    ["another number", ([grant, , kid, secret, tag]) => [grant, "2", kid, secret, tag].join(".")],
    ["a code's number", ([grant, , kid, secret, tag]) => [grant, "0", kid, secret, tag].join(".")],
    ["a number with a zero before it", ([grant, , kid, secret, tag]) => [grant, "01", kid, secret, tag].join(".")],
    ["a negative number", ([grant, , kid, secret, tag]) => [grant, "-1", kid, secret, tag].join(".")],
    ["an unknown key", ([grant, n, , secret, tag]) => [grant, n, "AAAAAAAA", secret, tag].join(".")],
    ["another secret", ([grant, n, kid, , tag]) => [grant, n, kid, other, tag].join(".")],
    ["another tag", ([grant, n, kid, secret]) => [grant, n, kid, secret, "A".repeat(22)].join(".")],
    ["no tag", (parts) => parts.slice(0, 4).join(".")],
    ["something after it", (parts) => `${parts.join(".")}.x`],
    ["a line break after it", (parts) => `${parts.join(".")}\n`],
    ["a space before it", (parts) => ` ${parts.join(".")}`],
    ["nothing in it", () => ""],
  ])("with %s is none", async (_, change) => {
    expect(parseHandleToken(change((await tokens()).refresh.split(".")), keys)).toBeUndefined();
  });
});
