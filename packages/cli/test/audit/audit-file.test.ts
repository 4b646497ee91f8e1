import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEvent } from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { openAuditFile } from "../../src/audit/audit-file.ts";

const event = (client: string): AuditEvent => ({ time: "2026-01-01T00:00:00.000Z", action: "token.issued", client });

async function place(name = "audit.jsonl"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-audit-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, name);
}

test("every event is one line, in order, and all are there after close", async () => {
  const path = await place();
  await writeFile(path, "before\n", { mode: 0o640 });
  const warnings: string[] = [];
  const sink = await openAuditFile({ path, warn: (message) => warnings.push(message) });
  const events = Array.from({ length: 500 }, (_, index) => event(`c${index}`));
  for (const one of events.slice(0, 250)) sink.write(one);
  await new Promise(setImmediate);
  for (const one of events.slice(250)) sink.write(one);
  await sink.close();
  const [before, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(before).toBe("before");
  expect(lines.map((line) => JSON.parse(line))).toEqual(events);
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  expect(warnings).toEqual([]);
});

test("a new file is for its owner alone", async () => {
  const path = await place();
  await (await openAuditFile({ path, warn: () => {} })).close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("it is closed twice, and written to after that, without harm", async () => {
  const path = await place();
  const sink = await openAuditFile({ path, warn: () => {} });
  await sink.close();
  sink.write(event("late"));
  await sink.close();
  expect(await readFile(path, "utf8")).toBe("");
});

// /dev/full takes no byte.
test.skipIf(process.platform !== "linux")("a full disk is told once and stops nothing", async () => {
  const warnings: string[] = [];
  const sink = await openAuditFile({ path: "/dev/full", warn: (message) => warnings.push(message) });
  for (let round = 0; round < 3; round += 1) {
    sink.write(event("c"));
    await new Promise(setImmediate);
  }
  await sink.close();
  expect(warnings).toEqual(["audit events are lost: /dev/full cannot be written: the disk is full"]);
});

test("a file that cannot be opened is refused with the reason", async () => {
  const path = join(await place(), "audit.jsonl");
  await expect(openAuditFile({ path, warn: () => {} })).rejects.toThrow(
    `the audit file ${path} cannot be written: there is no such file or folder`,
  );
});
