import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type AuditEvent, type ChainsReport, deriveRootKeys, type Logger, silentLogger, verifyChains } from "sallyport";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../../../test/support/command.ts";
import { spawnSource } from "../../../../test/support/source-condition.ts";
import { openAudit } from "../../src/audit/open-audit.ts";

const secret = randomBytes(32).toString("base64url");
const run = promisify(execFile);

const event = (client: string): AuditEvent => ({ time: "2026-01-01T00:00:00.000Z", action: "token.issued", client });

const place = async (): Promise<string> => join(await temporaryFolder(), "audit.jsonl");

const openFile = (path: string, logger: Logger = silentLogger) => openAudit(path, { secret: [secret], logger });

/** What the check says of files, in this order. */
async function verify(...paths: readonly string[]): Promise<ChainsReport> {
  const verifier = verifyChains(deriveRootKeys([secret]));
  for (const path of paths) {
    verifier.file(path);
    const content = await readFile(path);
    for (let start = 0; start < content.length; ) {
      const end = content.indexOf(0x0a, start);
      verifier.line(content.subarray(start, end < 0 ? content.length : end));
      start = end < 0 ? content.length : end + 1;
    }
  }
  return verifier.end();
}

const clientsIn = async (path: string): Promise<readonly string[]> =>
  [...(await readFile(path, "utf8")).matchAll(/"client":"(\w+)"/g)].map(([, client = ""]) => client);

test("a file that is there is appended to and keeps its mode; a new one is for its owner alone", async () => {
  const [old, young] = [await place(), await place()];
  await writeFile(old, "before\n", { mode: 0o640 });
  for (const path of [old, young]) {
    const sink = await openFile(path);
    sink.write(event("one"));
    await sink.close();
  }
  expect((await readFile(old, "utf8")).split("\n")[0]).toBe("before");
  expect((await stat(old)).mode & 0o777).toBe(0o640);
  expect((await stat(young)).mode & 0o777).toBe(0o600);
});

test("a file that cannot be opened is refused with the reason", async () => {
  const path = join(await place(), "audit.jsonl");
  await expect(openFile(path)).rejects.toThrow(
    `the audit file ${path} cannot be written: there is no such file or folder`,
  );
});

test("moved away as rotation does, the chain goes on in a new file; taken away, too", async () => {
  const path = await place();
  const sink = await openFile(path);
  const write = async (client: string) => {
    const before = sink.stats?.().written ?? 0;
    sink.write(event(client));
    await expect.poll(() => sink.stats?.().written).toBeGreaterThan(before);
  };
  await write("one");
  await rename(path, `${path}.1`);
  await write("two");
  await rename(path, `${path}.2`);
  await write("three");
  const kept = await readFile(path);
  await unlink(path);
  await write("four");
  await sink.close();
  await writeFile(`${path}.3`, kept);
  const files = [1, 2, 3].map((n) => `${path}.${n}`);
  for (const [index, client] of ["one", "two", "three"].entries()) {
    expect(await clientsIn(files[index] ?? "")).toEqual([client]);
  }
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await verify(path, ...files)).toMatchObject({ whole: true, chains: [{ seq: [1, 6], closed: true }] });
});

test("a folder that goes and comes back: events wait for it", async () => {
  const folder = join(await temporaryFolder(), "logs");
  await mkdir(folder);
  const path = join(folder, "audit.jsonl");
  const sink = await openFile(path);
  await rename(folder, `${folder}.away`);
  sink.write(event("meanwhile"));
  await expect.poll(() => sink.stats?.().failing).toBe(true);
  await rename(`${folder}.away`, folder);
  await sink.close();
  expect(await clientsIn(path)).toEqual(["meanwhile"]);
  expect(await verify(path)).toMatchObject({ whole: true, chains: [{ closed: true }] });
});

test("several processes append to one file, each its own chain; one that is killed leaves no false alarm", async () => {
  const folder = await temporaryFolder();
  const [path, secretFile] = [join(folder, "audit.jsonl"), join(folder, "secret")];
  await writeFile(secretFile, secret);
  const start = () => spawnSource(new URL("busy-writer.ts", import.meta.url), [path, secretFile]);
  const writers = [start(), start(), start()];
  await Promise.all(writers.map((writer) => writer.waitForLine((line) => line.startsWith('{"written"'))));
  const [killed, ...others] = writers;
  await killed?.stop("SIGKILL");
  // However its last write ended, this is what could be left of it.
  await appendFile(path, '{"time":"2026-01-01T00:00:00.000Z","action":"token.iss');
  for (const writer of others) await writer.stop();
  const next = await openFile(path);
  next.write(event("next"));
  await next.close();
  const report = await verify(path);
  expect(report.whole).toBe(true);
  expect(report.findings.map(({ kind }) => kind)).toEqual(["torn"]);
  expect(report.chains.map(({ closed }) => closed).sort()).toEqual([false, true, true, true]);
  for (const { seq, lines } of report.chains) expect({ seq, lines }).toEqual({ seq: [1, seq[1]], lines: seq[1] });
}, 20_000);

test("a disk that is really full: it is told, nothing blocks, and the trail goes on where it was", async () => {
  const folder = await temporaryFolder();
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=256k", "none", folder]);
  } catch {
    // Whoever may not mount has no small disk; the faults of batched-audit.test.ts are the same.
    return;
  }
  onTestFinished(async () => void (await run("umount", [folder])));
  const path = join(folder, "audit.jsonl");
  const told: string[] = [];
  const log = (message: string) => void told.push(message);
  const sink = await openFile(path, { debug: log, info: log, warn: log, error: log });
  for (let n = 0; n < 2000; n += 1) sink.write({ ...event(`c${n}`), tool: "x".repeat(n % 100) });
  await expect.poll(() => sink.stats?.().failing).toBe(true);
  expect((await verify(path)).findings.every(({ kind }) => kind === "torn")).toBe(true);
  await run("mount", ["-o", "remount,size=4m", folder]);
  await expect.poll(() => sink.stats?.().failing, { timeout: 5000 }).toBe(false);
  await sink.close();
  const report = await verify(path);
  expect(report).toMatchObject({ whole: true, chains: [{ seq: [1, 2002], lines: 2002, closed: true }] });
  expect(report.findings.length).toBeGreaterThan(0);
  expect(told).toContain("audit events cannot be written; requests go on");
  expect(told).toContain("audit events are written again");
});

describe("standard output", () => {
  /** What the writer says of itself, by line; its own output is read only where `read` says so. */
  async function writer(read: boolean) {
    const secretFile = join(await temporaryFolder(), "secret");
    await writeFile(secretFile, secret);
    const script = fileURLToPath(new URL("busy-writer.ts", import.meta.url));
    const child = spawn(process.execPath, ["--conditions=sallyport-source", script, "-", secretFile]);
    onTestFinished(() => void child.kill("SIGKILL"));
    const chunks: Buffer[] = [];
    if (read) child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    return { child, chunks, exited, told: createInterface({ input: child.stderr }) };
  }

  test("a pipe that nobody reads holds up nobody and fills no memory", async () => {
    const { child, exited, told } = await writer(false);
    let report = { dropped: 0, longest: 0, heap: 0, waiting: 0, n: 0 };
    for await (const line of told) {
      if (!line.startsWith('{"written"')) continue;
      report = JSON.parse(line);
      if (report.dropped > 1000) break;
    }
    expect(report.longest).toBeLessThan(250);
    expect(report.heap).toBeLessThan(100 * 1024 * 1024);
    const before = performance.now();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    expect(performance.now() - before).toBeLessThan(4000);
  }, 20_000);

  test("a pipe that is read gets everything", async () => {
    const { child, chunks, exited, told } = await writer(true);
    for await (const line of told) if (line.startsWith('{"written"')) break;
    await after(300);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    const path = await place();
    await writeFile(path, Buffer.concat(chunks));
    expect(await verify(path)).toMatchObject({ whole: true, findings: [], chains: [{ closed: true, dropped: 0 }] });
  });
});
