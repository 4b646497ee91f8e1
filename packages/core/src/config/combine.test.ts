import { describe, expect, it } from "vitest";
import { z } from "zod";
import { combine, coreSection, entryFields } from "./index.ts";

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

  it("adds fields to the entries of another section's table", () => {
    const owner = z.strictObject({
      doors: z
        .record(z.string(), z.strictObject({ width: z.number().default(1) }))
        .default({})
        .describe("Doors."),
    });
    const schema = combine([owner, z.strictObject({ doors: entryFields({ colour: z.string().optional() }) })]);
    const value: { doors: Record<string, { width: number; colour?: string | undefined }> } = schema.parse({
      doors: { front: { colour: "red" } },
    });
    expect(value).toEqual({ doors: { front: { width: 1, colour: "red" } } });
    expect(schema.parse({})).toEqual({ doors: {} });
    expect(schema.shape.doors.description).toBe("Doors.");
    expect(schema.safeParse({ doors: { front: { color: "red" } } }).success).toBe(false);
  });

  it("refuses further fields where they cannot be, or are there", () => {
    const width = z.strictObject({ doors: entryFields({ width: z.number() }) });
    expect(() => combine([z.strictObject({ doors: z.number() }), width])).toThrow("doors has no entries");
    expect(() =>
      combine([z.strictObject({ doors: z.record(z.string(), z.strictObject({ width: z.string() })) }), width]),
    ).toThrow("two sections own the setting doors.<name>.width");
  });

  it("refuses settings that would share a variable", () => {
    const one = z.strictObject({ tokens: z.strictObject({ accessTtl: z.string() }) });
    const two = z.strictObject({ tokensAccess: z.strictObject({ ttl: z.string() }) });
    expect(() => combine([one, two])).toThrow("SALLYPORT_TOKENS_ACCESS_TTL");
  });
});
