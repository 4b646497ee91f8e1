import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silentLogger, systemClock, systemRandom } from "../runtime/index.ts";
import { openStore } from "./open.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

test("memory: is a store of its own each time", async () => {
  const [one, other] = [await openStore("memory:", deps), await openStore("MEMORY:", deps)];
  await one.put("a", "1", { ttl: 1000 });
  expect(await one.get("a")).toMatchObject({ value: "1" });
  expect(await other.get("a")).toBeUndefined();
});

test("sqlite: takes an absolute path and one from the working directory", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-open-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "a name with 100% odd #characters.db");
  const absolute = await openStore(`sqlite:${path}`, deps);
  await absolute.put("a", "1", { ttl: 10_000 });
  await absolute.close();
  expect((await stat(path)).isFile()).toBe(true);
  const fromHere = await openStore(`sqlite:./${relative(process.cwd(), path)}`, deps);
  expect(await fromHere.get("a")).toMatchObject({ value: "1" });
  await fromHere.close();
});

test.each([
  ["postgres://db.example/x", /^store: "postgres:" .*"memory:", "sqlite:\.\/path", "sqlite:\/absolute\/path", "redis:/],
  ["./data.db", /^store: not a store URL; supported are "memory:"/],
  ["", /^store: not a store URL/],
  ["memory:x", /^store: "memory:" takes nothing/],
  ["sqlite:", /^store: "sqlite:" needs the path/],
  ["sqlite::memory:", /^store: .*write "memory:"/],
  ["sqlite://./data.db", /^store: write "sqlite:\.\/path"/],
  ["sqlite:./data.db?mode=ro", /^store: "sqlite:" takes no options/],
  ["sqlite:./nul\0", /^store: .*NUL/],
])("the setting %j is refused with what to write instead", async (url, message) => {
  await expect(openStore(url, deps)).rejects.toThrow(message);
});

test("a password in a refused store URL is not repeated", async () => {
  const refusal = await openStore("mysql://root:hunter2@db.example", deps).catch((error: unknown) => String(error));
  expect(refusal).toContain("mysql:");
  expect(refusal).not.toContain("hunter2");
});
