// Writes test/fixtures/records/v<version>/<kind>.json: what this release keeps, as a later one will find it. A fixture that
// is there stands for a released version and is never written over.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { deriveRootKeys } from "sallyport";
import { fixtureSecret, samples } from "../test/store/record-samples.ts";

const keys = deriveRootKeys([fixtureSecret]);

for (const { kind, version, values, seal } of samples) {
  const folder = new URL(`../test/fixtures/records/v${version}/`, import.meta.url);
  const file = new URL(`${kind}.json`, folder);
  if (existsSync(file)) continue;
  const records: object[] = [];
  for (const [index, value] of values.entries()) records.push({ ...(await seal(keys, index)), value });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ secret: fixtureSecret, records }, null, 2)}\n`);
  process.stdout.write(`wrote ${file.pathname}\n`);
}
