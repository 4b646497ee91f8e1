import { describe, expect, test } from "vitest";
import { systemRandom } from "../runtime/index.ts";
import { deriveRootKeys, openHandle, sealHandle } from "./index.ts";

const [a, b] = ["A".repeat(43), "B".repeat(43)];

describe("a sealed handle", () => {
  const keys = deriveRootKeys([a]);
  const handle = sealHandle(keys, "consent form", { id: 1, text: "grüezi" }, systemRandom);

  test("comes back as it was", () => {
    expect(openHandle(keys, "consent form", handle)).toEqual({ id: 1, text: "grüezi" });
  });

  test("opens after a change of secrets for as long as the old one is listed", () => {
    expect(openHandle(deriveRootKeys([b, a]), "consent form", handle)).toEqual({ id: 1, text: "grüezi" });
    expect(openHandle(deriveRootKeys([b]), "consent form", handle)).toBeUndefined();
  });

  test("is sealed under the first secret", () => {
    const newer = sealHandle(deriveRootKeys([b, a]), "consent form", 1, systemRandom);
    expect(openHandle(deriveRootKeys([b]), "consent form", newer)).toBe(1);
    expect(openHandle(keys, "consent form", newer)).toBeUndefined();
  });

  const [kid = "", body = ""] = handle.split(".");
  test.each([
    ["for another purpose", "session", handle],
    ["with the name of another key", "consent form", `${deriveRootKeys([b]).active.kid}.${body}`],
    ["without a key's name", "consent form", body],
    ["with an empty name", "consent form", `.${body}`],
    ["without a body", "consent form", `${kid}.`],
    ["with two bodies", "consent form", `${handle}.${body}`],
    ["cut", "consent form", handle.slice(0, -1)],
    ["empty", "consent form", ""],
  ])("does not open %s", (_, purpose, text) => {
    const two = deriveRootKeys([a, b]);
    expect(openHandle(two, purpose, text)).toBeUndefined();
  });
});
