import { createHook } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigError, createLogger, memoryAudit, systemClock } from "sallyport";
import { expect, onTestFinished, test, vi } from "vitest";
import { secretRule } from "../config/gateway-rules.ts";
import { type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { createFilesRead } from "./files-read.ts";
import { followSettings } from "./reload-settings.ts";

const settings = (more = "", groups = '[groups]\nreaders = ["read"]'): string => `
base_url = "http://localhost:8000"
secret = ["file:root-secret"]

${more}
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "app"
client_secret = "file:client-secret"
domain = "http://localhost:9229"
endpoint = "http://localhost:9229"

[scopes.read]

${groups}

[[servers]]
name = "notes"
url = "http://127.0.0.1:3001/mcp"
`;

const rootSecret = randomBytes(32).toString("base64url");

/** A folder with settings that are followed, as `serve` does it; the clock may run ahead of the machine's. */
async function followed(
  options: { readonly file?: string; readonly prepare?: (folder: string) => Promise<void> } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-reload-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, options.file ?? "sallyport.toml");
  const write = (name: string, text: string) => writeFile(join(folder, name), text, { mode: 0o600 });
  if (options.prepare) await options.prepare(folder);
  else {
    await write("root-secret", rootSecret);
    await write("client-secret", "first");
    await write("sallyport.toml", settings());
  }
  const load = (readFile?: Parameters<typeof loadGatewayConfig>[0]["readFile"]) =>
    loadGatewayConfig({ file, env: {}, rules: [secretRule], ...(readFile ? { readFile } : {}) });
  const read = createFilesRead();
  const loaded = await load(read.readFile);
  const log: string[] = [];
  const audit = memoryAudit();
  const used: GatewaySettings[] = [];
  const how: { refuse?: ConfigError; slow?: Promise<void> } = {};
  const sleeps = new Set<number>();
  const loads = { count: 0 };
  const following = followSettings({
    loaded,
    read,
    load: async (readFile) => {
      const now = await load(readFile);
      loads.count += 1;
      await how.slow;
      return now;
    },
    use: (config) => {
      if (how.refuse) throw how.refuse;
      used.push(config);
    },
    clock: {
      ...systemClock,
      // Ten minutes pass in a moment, and what looks every few seconds looks at once.
      sleep: (ms, signal) => {
        sleeps.add(ms);
        return systemClock.sleep(ms >= 600_000 ? 200 : Math.min(ms, 5), signal);
      },
    },
    logger: createLogger({ level: "info", write: (line) => log.push(line.replace(/^\S+ /, "")) }),
    audit,
  });
  onTestFinished(() => following.stop());
  return { folder, file, write, log, used, audit: audit.events, following, how, loads };
}

const settled = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 3000, interval: 10 });

test("a file that is written again is read again, and what has changed is told in words", async () => {
  const { write, used, log, audit } = await followed();
  await write(
    "sallyport.toml",
    settings('max_request_body = "1MiB"', '[groups]\nwriters = ["read"]\n').replace("3001", "3002") +
      '[[servers]]\nname = "clock"\nurl = "http://127.0.0.1:3003/mcp"\n',
  );
  await settled(() => expect(used).toHaveLength(1));
  expect(used[0]?.servers.map(({ name }) => name)).toEqual(["notes", "clock"]);
  await settled(() => expect(audit).toMatchObject([{ action: "config.reloaded" }]));
  const told = log.find((line) => line.includes("the settings were reloaded")) ?? "";
  expect(told).toContain(
    "group added: writers; group removed: readers; server added: clock; server changed: notes; max_request_body changed",
  );
});

test("a broken file changes nothing; file and line are told, again after a while, until it is mended", async () => {
  const { file, write, used, log, audit } = await followed();
  await write("sallyport.toml", settings('max_open_requests_ = 1\nlog_level = "loud"'));
  await settled(() => expect(audit).toHaveLength(1));
  expect(audit[0]).toMatchObject({ action: "config.reload_refused", reason: "settings_invalid" });
  const errors = log.filter((line) => line.startsWith("error"));
  expect(errors.join("\n")).toMatch(new RegExp(`stay as they are: max_open_requests_ \\(${file}:5\\)`));
  expect(errors.join("\n")).toMatch(new RegExp(`stay as they are: log_level \\(${file}:6\\)`));
  await settled(() => expect(log.at(-1)).toMatch(/^error the settings in use are not those in the file, still/));
  await write("sallyport.toml", "this = is no TOML");
  await settled(() => expect(audit).toHaveLength(2));
  expect(log.some((line) => line.includes(`${file}:1:8`))).toBe(true);
  expect(used).toEqual([]);
  await write("sallyport.toml", settings());
  await settled(() => expect(audit.at(-1)).toMatchObject({ action: "config.reloaded" }));
  expect(log.at(-1)).toContain('changes="none"');
  const lines = log.length;
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(log).toHaveLength(lines);
});

test("settings that need a restart are named with their place, and no secret is", async () => {
  const { file, write, used, log, audit } = await followed();
  await write("client-secret", "another-client-secret");
  await settled(() => expect(audit).toHaveLength(1));
  await write("sallyport.toml", `${settings("workers = 3")}`);
  await settled(() => expect(audit).toHaveLength(2));
  expect(audit[1]).toMatchObject({ action: "config.reload_refused", reason: "settings_need_restart" });
  const text = log.join("\n");
  expect(text).toContain(`cognito.client_secret (${file}:9): cannot change while the process runs; restart it`);
  expect(text).toContain(`workers (${file}:5): cannot change while the process runs`);
  expect(text).not.toMatch(/another-client-secret|first/);
  expect(used).toEqual([]);
});

test("what the server refuses changes nothing, and counts as new when it comes again", async () => {
  const { write, used, following, how, audit } = await followed();
  how.refuse = Object.assign(new Error("clients.app: no"), { problems: [] }) as unknown as ConfigError;
  await write("sallyport.toml", settings("max_open_requests = 1"));
  await settled(() => expect(audit).toMatchObject([{ action: "config.reload_refused", reason: "settings_invalid" }]));
  delete how.refuse;
  await following.reload();
  expect(used.map(({ maxOpenRequests }) => maxOpenRequests)).toEqual([1]);
});

test("readings come one after the other, and the last word counts", async () => {
  const { write, used, following, how, loads } = await followed();
  const gate = Promise.withResolvers<void>();
  how.slow = gate.promise;
  await write("sallyport.toml", settings("max_open_requests = 1"));
  const first = following.reload();
  await settled(() => expect(loads.count).toBe(1));
  await write("sallyport.toml", settings("max_open_requests = 2"));
  const others = [following.reload(), following.reload(), following.reload()];
  gate.resolve();
  await Promise.all([first, ...others]);
  expect(used.map(({ maxOpenRequests }) => maxOpenRequests)).toEqual([1, 2]);
  expect(loads.count).toBe(2);
});

test("an editor that puts a new file in the place of the old one, and a file that is gone for a moment", async () => {
  const { folder, file, write, used, audit } = await followed();
  for (const n of [1, 2, 3]) {
    await write("sallyport.toml~", settings(`max_open_requests = ${n}`));
    await rename(join(folder, "sallyport.toml~"), file);
    await settled(() => expect(used.at(-1)?.maxOpenRequests).toBe(n));
  }
  await rm(file);
  await settled(() => expect(audit.at(-1)).toMatchObject({ action: "config.reload_refused" }));
  await write("sallyport.toml", settings("max_open_requests = 4"));
  await settled(() => expect(used.at(-1)?.maxOpenRequests).toBe(4));
});

test("a Kubernetes ConfigMap: the link ..data is turned to another folder", async () => {
  const release = async (folder: string, name: string, text: string): Promise<void> => {
    await mkdir(join(folder, name));
    const files = { "sallyport.toml": text, "root-secret": rootSecret, "client-secret": "first" };
    for (const [file, content] of Object.entries(files)) {
      await writeFile(join(folder, name, file), content, { mode: 0o600 });
    }
    await symlink(name, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  const { folder, used, audit } = await followed({
    prepare: async (folder) => {
      await release(folder, "..2026_1", settings());
      for (const file of ["sallyport.toml", "root-secret", "client-secret"]) {
        await symlink(join("..data", file), join(folder, file));
      }
    },
  });
  for (const n of [2, 3]) {
    await release(folder, `..2026_${n}`, settings(`max_open_requests = ${n}`));
    await rm(join(folder, `..2026_${n - 1}`), { recursive: true });
    await settled(() => expect(used.at(-1)?.maxOpenRequests).toBe(n));
  }
  expect(audit.every(({ action }) => action === "config.reloaded")).toBe(true);
});

test("fifty reloads leave nothing open behind them", async () => {
  const { write, used, following } = await followed();
  const watchers = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === "FSEVENTWRAP" && watchers.add(id)),
    destroy: (id) => void watchers.delete(id),
  }).enable();
  onTestFinished(() => void hook.disable());
  const open = async () => ({
    files: (await readdir("/proc/self/fd")).length,
    timers: process.getActiveResourcesInfo().filter((name) => name === "Timeout").length,
  });
  await write("sallyport.toml", settings("max_open_requests = 100"));
  await settled(() => expect(used).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = await open();
  for (let n = 1; n <= 50; n += 1) {
    await write("sallyport.toml", settings(`max_open_requests = ${n}`));
    await following.reload();
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  const after = await open();
  expect(used.at(-1)?.maxOpenRequests).toBe(50);
  expect(after.files - before.files).toBeLessThan(4);
  expect(after.timers - before.timers).toBeLessThan(4);
  expect(watchers.size).toBe(1);
  await following.stop();
  expect((await open()).files).toBeLessThan(before.files + 1);
});
