import { describe, expect, it } from "vitest";
import { z } from "zod";
import { combine, coreSection } from "./index.ts";

describe("combine", () => {
  it("makes one strict schema of several", () => {
    const schema = combine([z.strictObject({ a: z.string() }), z.strictObject({ b: z.number().default(2) })]);
    const value: { a: string; b: number } = schema.parse({ a: "x" });
    expect(value).toEqual({ a: "x", b: 2 });
    expect(schema.safeParse({ a: "x", c: 1 }).success).toBe(false);
  });

  it("refuses a key that two sections own", () => {
    const other = z.strictObject({ store: z.string() });
    expect(() => combine([coreSection, other])).toThrow("two sections own the setting store");
  });

  it("refuses settings that would share a variable", () => {
    const one = z.strictObject({ tokens: z.strictObject({ accessTtl: z.string() }) });
    const two = z.strictObject({ tokensAccess: z.strictObject({ ttl: z.string() }) });
    expect(() => combine([one, two])).toThrow("SALLYPORT_TOKENS_ACCESS_TTL");
  });
});
