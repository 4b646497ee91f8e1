import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../../packages/cli/bin/sallyport.js", import.meta.url));

function secret(args: readonly string[], input = "") {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, "secret", ...args], {
    input,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("base64url")}`;

describe("sallyport secret", () => {
  test("makes a secret of 256 bits, another one each time, and the line for the file", () => {
    const lines = [secret([]), secret([])].map(({ status, stdout, stderr }) => {
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const [, made = "", hash] =
        /^secret +([A-Za-z0-9_-]{43})\nin the file +secret_hashes = \["(.*)"\]\n$/.exec(stdout) ?? [];
      expect(hash).toBe(hashOf(made));
      return made;
    });
    expect(lines[0]).not.toBe(lines[1]);
  });

  test("--json", () => {
    const { status, stdout } = secret(["--json"]);
    const answer: unknown = JSON.parse(stdout);
    expect(status).toBe(0);
    expect(answer).toEqual({
      secret: expect.stringMatching(/^[\w-]{43}$/),
      secret_hash: hashOf(Object(answer).secret),
    });
  });

  test("--stdin hashes what there is and shows the hash alone", () => {
    const mine = "a-secret-of-mine-0123456789-abcdefgh";
    for (const input of [mine, `${mine}\n`, `${mine}\r\n`]) {
      expect(secret(["--stdin"], input)).toEqual({
        status: 0,
        stdout: `in the file    secret_hashes = ["${hashOf(mine)}"]\n`,
        stderr: "",
      });
    }
    expect(JSON.parse(secret(["--stdin", "--json"], mine).stdout)).toEqual({ secret_hash: hashOf(mine) });
  });

  test.each([
    ["too short", "abcdefghijklmnopqrstuvwxyz01234"],
    ["monotonous", "ab".repeat(20)],
    ["empty", ""],
    ["with a space", "abcdefghijklmnop qrstuvwxyz0123456"],
    ["of two lines", "abcdefghijklmnop\nqrstuvwxyz0123456"],
  ])("--stdin refuses one that is %s, without repeating it", (_, input) => {
    expect(secret(["--stdin"], input)).toEqual({
      status: 1,
      stdout: "",
      stderr:
        "sallyport: a secret must have at least 32 characters, random ones, without spaces; make one with: sallyport secret\n",
    });
  });

  test("--stdin does not read on for ever", () => {
    expect(secret(["--stdin"], "x".repeat(1_000_000))).toMatchObject({
      status: 1,
      stderr: "sallyport: the secret is longer than 1024 characters\n",
    });
  });
});
