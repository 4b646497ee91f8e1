import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deriveRootKeys } from "../../packages/core/src/crypto/index.ts";
import { systemRandom } from "../../packages/core/src/runtime/index.ts";
import { keptKinds } from "../../packages/core/src/upkeep/kept-kinds.ts";
import { fixtureSecret, samples } from "./record-samples.ts";

// A fixture of each version of each kind, as a release has kept it. Whoever changes the stored form of a kind
//  1. raises `version` of the kind,
//  2. teaches `recordCodec` to read the version before (its value is then what the old fixture says, in the new form:
//     change `value` in the old file by hand, never `text`),
//  3. runs `node --conditions=sallyport-source scripts/write-record-fixtures.ts`, which adds the new version's file.
// A field that is added and may be absent needs none of this, a field that is required does. A file may be deleted and
// written anew only until its version is released.

const folder = new URL("../fixtures/records/", import.meta.url);

const fixture = z.strictObject({
  secret: z.string(),
  records: z.array(z.strictObject({ key: z.string(), text: z.string(), value: z.record(z.string(), z.unknown()) })),
});

const read = (version: number, kind: string): z.output<typeof fixture> =>
  fixture.parse(JSON.parse(readFileSync(new URL(`v${version}/${kind}.json`, folder), "utf8")));

const page = readFileSync(new URL("../../docs/storage.md", import.meta.url), "utf8");

const versions = samples.flatMap(({ version, ...rest }) =>
  Array.from({ length: version }, (_, before) => ({ ...rest, version: before + 1 })),
);

describe("records that an earlier release has kept", () => {
  test.each(versions)("$kind, version $version: this release reads them", async ({ kind, version, open }) => {
    const { secret, records } = read(version, kind);
    expect(records.length).toBeGreaterThan(0);
    for (const { key, text, value } of records) {
      expect(JSON.parse(text).v).toBe(version);
      expect(await open(deriveRootKeys([secret]), key, text)).toEqual(value);
    }
  });

  test("each kind that is kept has a fixture of each of its versions, and every fixture is of a kind", () => {
    const kinds = keptKinds({ keys: deriveRootKeys([fixtureSecret]), random: systemRandom });
    expect(samples.map(({ kind }) => kind).sort()).toEqual([...kinds.keys()].sort());
    const files = readdirSync(folder, { recursive: true }).map(String);
    const expected = versions.map(({ kind, version }) => `v${version}/${kind}.json`);
    expect(files.filter((name) => name.endsWith(".json")).sort()).toEqual(expected.sort());
  });

  test.each(samples)(
    "$kind: the newest fixture shows every form that this release writes",
    ({ kind, version, values }) => {
      expect(read(version, kind).records.map(({ value }) => value)).toEqual(values);
    },
  );
});

test.each(samples)("docs/storage.md tells of $kind, and which of its fields are sealed", ({ kind, values, sealed }) => {
  const section = page.split(/^### /m).find((text) => text.startsWith(`\`${kind}\`:`)) ?? "";
  const row = (name: string): string => section.split("\n").find((line) => line.startsWith(`| ${name} `)) ?? "";
  const fields = new Set(values.flatMap((value) => Object.keys(value)));
  for (const field of fields) {
    expect(row(sealed.includes(field) ? "sealed" : "plain"), field).toContain(`\`${field}\``);
    expect(row(sealed.includes(field) ? "plain" : "sealed"), field).not.toContain(`\`${field}\``);
  }
  for (const name of ["id", "lifetime"]) expect(row(name)).not.toBe("");
});
