import { describe, expect, test } from "vitest";
import { systemRandom } from "../runtime/index.ts";
import { fromBase64Url, openText, sealText, toBase64Url } from "./index.ts";

const key = new Uint8Array(32).fill(1);
const otherKey = new Uint8Array(32).fill(2);

/** The same text with one bit of one byte changed. */
function flipped(sealed: string, at: number): string {
  const bytes = Buffer.from(sealed, "base64url");
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes.toString("base64url");
}

describe("an envelope", () => {
  const sealed = sealText(key, "grant|1|upstream", "the secret", systemRandom);

  test("opens under its key in its context", () => {
    expect(openText(key, "grant|1|upstream", sealed)?.toString()).toBe("the secret");
    expect(openText(key, "", sealText(key, "", "", systemRandom))?.toString()).toBe("");
    const bytes = new Uint8Array([0, 255, 128]);
    expect(openText(key, "bytes", sealText(key, "bytes", bytes, systemRandom))).toEqual(Buffer.from(bytes));
  });

  test("shows nothing and is never the same twice", () => {
    expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("secret");
    expect(sealText(key, "grant|1|upstream", "the secret", systemRandom)).not.toBe(sealed);
  });

  test.each([
    ["another key", otherKey, "grant|1|upstream", sealed],
    ["another record", key, "grant|2|upstream", sealed],
    ["another field", key, "grant|1|code", sealed],
    ["no context", key, "", sealed],
    ["a changed nonce", key, "grant|1|upstream", flipped(sealed, 0)],
    ["a changed text", key, "grant|1|upstream", flipped(sealed, 12)],
    ["a changed tag", key, "grant|1|upstream", flipped(sealed, -1)],
    ["a cut end", key, "grant|1|upstream", sealed.slice(0, -4)],
    ["a cut beginning", key, "grant|1|upstream", sealed.slice(4)],
    ["nonce and half a tag", key, "grant|1|upstream", sealed.slice(0, 32)],
    ["nothing", key, "grant|1|upstream", ""],
    ["padding", key, "grant|1|upstream", `${sealed}=`],
    ["a line break", key, "grant|1|upstream", `${sealed}\n`],
    ["what is no base64url", key, "grant|1|upstream", `+${sealed.slice(1)}`],
  ])("does not open with %s", (_, openKey, context, text) => {
    expect(openText(openKey, context, text)).toBeUndefined();
  });
});

describe("base64url", () => {
  test.each([
    ["", []],
    ["AA", [0]],
    ["_-8", [255, 239]],
    ["AAEC", [0, 1, 2]],
  ])("%j is one spelling of its bytes", (text, bytes) => {
    expect(fromBase64Url(text)).toEqual(Buffer.from(bytes));
    expect(toBase64Url(new Uint8Array(bytes))).toBe(text);
  });

  test.each(["AB", "_-9", "AA==", "AA=", "A", "+/8", "A A", "AA\n", "AA.", "ÄÄ"])("%j is none", (text) => {
    expect(fromBase64Url(text)).toBeUndefined();
  });
});
