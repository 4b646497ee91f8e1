import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { groupLives, listens, ready, startNpm, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";

async function start(...more: readonly string[]) {
  const [port, cognitoPort, folder] = await Promise.all([freePort(), freePort(), temporaryFolder()]);
  const state = join(folder, "state");
  const ports = ["--port", `${port}`, "--cognito-port", `${cognitoPort}`];
  return { command: startNpm([...ports, "--state", state, ...more]), port, cognitoPort, state };
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test("npm start says that it is ready in one line and describes itself in dev.json", async () => {
  const { command, port, cognitoPort, state } = await start();
  const url = `http://localhost:${port}`;
  expect(await ready(command)).toBe(`ready ${url}`);
  expect(await modeOf(state)).toBe(0o700);
  expect(await modeOf(join(state, "dev.json"))).toBe(0o600);

  const described: unknown = JSON.parse(await readFile(join(state, "dev.json"), "utf8"));
  const password = "Sallyport-demo-1";
  expect(described).toEqual({
    gateway: url,
    issuer: url,
    cognito: {
      url: `http://localhost:${cognitoPort}`,
      user_pool_id: expect.stringMatching(/^eu-central-1_\w+$/),
      client_id: expect.any(String),
      client_secret: expect.stringMatching(/^[\w-]{43}$/),
    },
    users: [
      { username: "alice@example.com", password, groups: ["mcp-admins", "mcp-developers"] },
      { username: "bob@example.com", password, groups: ["mcp-readers"] },
      { username: "carol@example.com", password, groups: [] },
    ],
    machine: { client_id: expect.any(String), client_secret: expect.stringMatching(/^[\w-]{43}$/) },
    servers: ["clock", "notes", "everything"].map((name) => ({ name, url: `${url}/${name}/mcp` })),
    upstreams: ["clock", "notes", "everything"].map((name) => ({
      name,
      url: expect.stringMatching(
        new RegExp(`^http://127\\.0\\.0\\.1:\\d+/${name}/mcp$|^http://127\\.0\\.0\\.1:\\d+/mcp$`),
      ),
    })),
  });

  const answer = await fetch(`${url}/clock/mcp`, { method: "POST" });
  expect(answer.status).toBe(401);
  expect((await fetch(`http://localhost:${cognitoPort}/login`)).status).toBeLessThan(500);
  const banner = command.output("stderr");
  for (const part of ["alice@example.com", password, `claude mcp add --transport http clock ${url}/clock/mcp`]) {
    expect(banner).toContain(part);
  }
  expect(banner).not.toContain("\u001b[");

  expect(await command.stop()).toEqual({ code: 0, signal: null });
  // What begins with > is npm's.
  const ours = command
    .output("stdout")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith(">"));
  expect(ours).toEqual([`ready ${url}`]);
  const left = (await readdir(state)).sort();
  expect(left).toEqual(["audit.jsonl", "secrets.json", "store.db"]);
  for (const file of left) expect(await modeOf(join(state, file)), file).toBe(0o600);
  const [, event = ""] = (await readFile(join(state, "audit.jsonl"), "utf8")).split("\n");
  expect(JSON.parse(event)).toMatchObject({ action: "request.refused", server: "clock", status: 401 });
});

describe("a signal ends npm start with exit status 0 and leaves nothing", () => {
  const cases = (["SIGTERM", "SIGINT"] as const).flatMap((signal) =>
    (["npm", "group"] as const).flatMap((target) =>
      ([1, 2] as const).map((times) => ({ signal, target, times, when: "is ready" })),
    ),
  );
  const all = [...cases, { signal: "SIGTERM", target: "group", times: 1, when: "is starting" } as const];

  const outcomeOf = async ({ signal, target, times, when }: (typeof all)[number]) => {
    const { command, port, cognitoPort, state } = await start("--ephemeral");
    const { pid = 0 } = command.child;
    if (when === "is ready") await ready(command);
    else await command.waitForLine((line) => line.startsWith("starting "));
    const files = existsSync(state) ? await readdir(state) : [];
    const before = performance.now();
    for (let i = 0; i < times; i += 1) process.kill(target === "npm" ? pid : -pid, signal);
    const exit = await command.exited;
    const inTime = performance.now() - before < 5000;
    const left = {
      process: groupLives(pid),
      gateway: await listens(port),
      cognito: await listens(cognitoPort),
      folder: existsSync(state),
    };
    return { files, exit, inTime, left };
  };

  // Together, as each mostly waits; the tests then look at one each.
  const outcomes = new Map<(typeof all)[number], Awaited<ReturnType<typeof outcomeOf>>>();
  beforeAll(async () => {
    await Promise.all(all.map(async (one) => outcomes.set(one, await outcomeOf(one))));
  });

  test.each(all)("$signal to $target, $times time(s), when it $when", (one) => {
    expect(outcomes.get(one)).toEqual({
      files: one.when === "is ready" ? ["dev.json"] : [],
      exit: { code: 0, signal: null },
      inTime: true,
      left: { process: false, gateway: false, cognito: false, folder: false },
    });
  });
});

test("npm start fails with one clear line of its own where it cannot start", async () => {
  const { command, state } = await start("--config", "/nowhere/sallyport.toml");
  expect((await command.exited).code).toBe(1);
  const ours = command
    .output("stderr")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("npm "));
  expect(ours).toEqual(["sallyport: /nowhere/sallyport.toml: cannot be read: there is no such file"]);
  expect(existsSync(state)).toBe(false);
});
