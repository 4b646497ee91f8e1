import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AuditTarget, batchedAudit, deriveRootKeys, silentLogger, systemClock, systemRandom } from "sallyport";
import { beforeAll, describe, expect, test } from "vitest";
import { ready, runCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";

const secret = randomBytes(32).toString("base64url");

/** No other setting is needed, and what others say does not matter. */
const env = { SALLYPORT_SECRET: secret, SALLYPORT_LISTEN: "nowhere", COGNITO_DOMAIN: "pool" };

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});

/** The lines of a trail with so many events. */
async function trail(events: number): Promise<readonly string[]> {
  const chunks: Uint8Array[] = [];
  const target: AuditTarget = {
    append: async (bytes) => ({ taken: chunks.push(bytes) && bytes.length }),
    close: async () => {},
  };
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const sink = batchedAudit({ ...deps, target, key: deriveRootKeys([secret]).active, version: "1.0.0" });
  for (let n = 0; n < events; n += 1) sink.write({ time: "2026-11-20T00:00:00.000Z", action: "token.issued" });
  await sink.close();
  return Buffer.concat(chunks).toString().trim().split("\n");
}

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${lines.join("\n")}\n`);
  return path;
}

const verify = (args: readonly string[], options: Parameters<typeof runCommand>[1] = {}) =>
  runCommand(["audit", "verify", ...args], { env, cwd: folder, ...options });

describe("sallyport audit verify", () => {
  test("of a trail over two files that is whole: each chain, status 0", async () => {
    const lines = await trail(5);
    const files = [await file("new", lines.slice(4)), await file("old", lines.slice(0, 4))];
    const { chain, hash } = JSON.parse(lines.at(-1) ?? "");
    const { code, stdout } = await verify(files);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(
        new RegExp(`^chain ${chain}: lines 1 to 7, \\S{24} to \\S{24}, closed; head ${chain}:7:${hash}$`),
      ),
      "1 chain, 7 lines: nothing is missing or changed",
    ]);
    expect(code).toBe(0);
    const json = await verify([...files, "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ whole: true, findings: [], chains: [{ chain, seq: [1, 7] }] });
  });

  test("of one that was changed: each break with file and line, status 1", async () => {
    const lines = await trail(9);
    const changed = lines
      .with(4, (lines[4] ?? "").replace("issued", "refused"))
      .toSpliced(7, 1)
      .toSpliced(2, 0, "hello");
    const path = await file("changed", changed);
    const { code, stdout } = await verify([path]);
    const { chain } = JSON.parse(lines[0] ?? "");
    expect(stdout.trimEnd().split("\n").slice(1)).toEqual([
      `${path}:3: foreign: this line belongs to no chain`,
      `${path}:6: altered: line 5 of chain ${chain}: not as written, or written under a root secret that is not configured`,
      `${path}:9: missing: line 8 of chain ${chain} should stand before this line`,
      "1 chain, 9 lines: 3 breaks",
    ]);
    expect(code).toBe(1);
  });

  test("cut off at its end it is found by a head that is known", async () => {
    const lines = await trail(4);
    const path = await file("cut", lines.slice(0, 4));
    const { chain, seq, hash } = JSON.parse(lines[5] ?? "");
    expect((await verify([path])).code).toBe(0);
    const { code, stdout } = await verify([path, "--expect", `${chain}:${seq}:${hash}`]);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining(`unmet: line 6 of chain ${chain}: not as --expect has it, or not there`),
    });
  });

  test("under another root secret nothing is genuine, and both secrets do", async () => {
    const path = await file("other", await trail(2));
    const other = randomBytes(32).toString("base64url");
    const { code, stdout } = await verify([path], { env: { ...env, SALLYPORT_SECRET: other } });
    expect(code).toBe(1);
    expect(stdout).toMatch(/altered: lines 1 to 4 .*: its first line names the root secret [\w-]{8}$/m);
    const both = { ...env, SALLYPORT_SECRET: JSON.stringify([other, secret]) };
    expect((await verify([path], { env: both })).code).toBe(0);
  });

  test("what cannot be done is one clear line, status 1", async () => {
    const said = async (...args: readonly string[]) => {
      const { code, stdout, lines } = await verify(args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      return lines;
    };
    const asked = [["nowhere"], ["."], ["x", "--expect", "y"], ["x", "--state", "away"], ["x", "--config", "no.toml"]];
    expect(await Promise.all(asked.map((args) => said(...args)))).toEqual([
      ["sallyport: nowhere cannot be read: there is no such file or folder"],
      ["sallyport: . cannot be read: it is a folder"],
      ["sallyport: --expect y: write chain:seq:hash, as the log and this command show it"],
      ["sallyport: there are no secrets of a sallyport dev in away"],
      [expect.stringMatching(/^sallyport: no\.toml.*there is no such file/)],
    ]);
  });

  test("what dev writes is verified with the secret in its folder, also from standard input", async () => {
    const state = join(folder, ".sallyport");
    const [port, cognitoPort] = [await freePort(), await freePort()];
    const dev = startCommand(["dev", "--port", `${port}`, "--cognito-port", `${cognitoPort}`, "--state", state]);
    await ready(dev);
    for (let n = 0; n < 20; n += 1) await fetch(`http://localhost:${port}/notes/mcp`, { method: "POST" });
    await expect.poll(() => readFile(join(state, "audit.jsonl"), "utf8")).toContain("request.refused");
    await dev.stop("SIGKILL");
    const { code, stdout } = await verify([join(state, "audit.jsonl")], { env: {} });
    expect(stdout).toContain("not closed: in use, or its process was broken off");
    expect(code).toBe(0);
    const command = startCommand(["audit", "verify", "-", "--state", state], { env: {} });
    command.child.stdin.end(await readFile(join(state, "audit.jsonl")));
    expect(await command.exited).toEqual({ code: 0, signal: null });
    expect(command.output("stdout")).toBe(stdout);
  });
});
