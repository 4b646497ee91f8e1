import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const SUITE = new URL("../../node_modules/@modelcontextprotocol/conformance/", import.meta.url);
const INJECT_TOKEN = new URL("./inject-token.mjs", import.meta.url);

/** The longest a whole run may take, in milliseconds; it takes a few seconds. */
const RUN_TIMEOUT_MS = 180_000;

/** The line after which the suite prints the URL that a person would open, and the one that says it awaits them. */
const OPEN_THIS = /^Access the following URL/;
const LISTENING = /^Callback server started/;

const checkSchema = z.looseObject({
  id: z.string(),
  status: z.enum(["SUCCESS", "FAILURE", "WARNING", "SKIPPED", "INFO"]),
  errorMessage: z.string().optional(),
});

/** One check as the suite reports it. */
export type Check = z.infer<typeof checkSchema>;

export interface Scenario {
  readonly name: string;
  /** The worst of its checks; `MISSING` where it left no result, be it that it broke off or never ran. */
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "MISSING";
  /** Whether the revision requires it. What is not required runs too, and does not count. */
  readonly required: boolean;
  readonly checks: readonly Check[];
}

export interface SuiteRun {
  readonly scenarios: readonly Scenario[];
  /** 0 where everything required holds, as the suite judges it; null where it had to be ended. */
  readonly exitCode: number | null;
  /** What the suite printed, for the message of a failed test. */
  readonly output: string;
}

/** The revisions there are requirement sets for. */
export type Requirements = "2025-11-25" | "2026-07-28";

/**
 * Runs the official conformance suite against an MCP server: everything that a revision requires, and what it reports
 * without counting it.
 *
 * @param options.url the server's MCP endpoint, on a loopback host (one scenario is about DNS rebinding)
 * @param options.token a bearer token, sent with every request to that origin
 * @param options.outDir where to keep the suite's files; default a temporary folder that is removed
 */
export async function runConformance(options: {
  readonly url: string;
  readonly requirements: Requirements;
  readonly token?: string;
  readonly outDir?: string;
}): Promise<SuiteRun> {
  const { url, requirements, token, outDir } = options;
  const required = await requiredScenarios(requirements);
  const injection = token === undefined ? [] : ["--import", INJECT_TOKEN.href];
  const env = { SALLYPORT_TEST_ORIGIN: new URL(url).origin, ...(token && { SALLYPORT_TEST_TOKEN: token }) };
  return inFolder(outDir, async (folder) => {
    const args = ["server", "--url", url, "--requirements", requirements, "-o", folder];
    const ended = await runSuite([...injection, suiteProgram(), ...args], env);
    return { ...ended, scenarios: await readScenarios(folder, "server-", required) };
  });
}

/**
 * Runs the suite's authorization-server mode: metadata, and one authorization code grant with PKCE. All of it counts.
 *
 * @param options.issuer compared with the metadata's `issuer` character by character
 * @param options.clientId a client with the redirect URI `http://127.0.0.1:<port>/callback`
 * @param options.port a free port, on which the suite waits for the redirect
 * @param options.authorize walks the authorization URL as a browser would, up to and including that redirect. If it
 *   rejects, so does this function, and the suite is ended.
 */
export async function runAuthorizationConformance(options: {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly resource?: string;
  readonly port: number;
  readonly authorize: (url: string) => Promise<void>;
  readonly outDir?: string;
}): Promise<SuiteRun> {
  const { issuer, clientId, clientSecret, resource, port, authorize, outDir } = options;
  return inFolder(outDir, async (folder) => {
    const args = ["authorization", "--url", issuer, "--client-id", clientId, "-p", String(port), "-o", folder];
    if (clientSecret !== undefined) args.push("--client-secret", clientSecret);
    if (resource !== undefined) args.push("--resource", resource);
    const ended = await runSuite([suiteProgram(), ...args], {}, authorize);
    const required = ["authorization-server-metadata-endpoint", "authorization-code-grant"];
    return { ...ended, scenarios: await readScenarios(folder, "authorization-server-", required) };
  });
}

/**
 * What keeps a run from being clean: a line for each failed check and each warning of a required scenario, and for each
 * required scenario that did not run or was skipped. Empty where everything holds.
 */
export function shortfalls(run: SuiteRun): string[] {
  return run.scenarios
    .filter(({ required }) => required)
    .flatMap(({ name, status, checks }) => {
      if (status === "MISSING" || status === "SKIPPED") return [`${name}: ${status}`];
      return checks
        .filter((check) => check.status === "FAILURE" || check.status === "WARNING")
        .map((check) => `${name}: ${check.status} ${check.id}: ${check.errorMessage ?? ""}`);
    });
}

/** The names under `server:` in the suite's own list for a revision. */
async function requiredScenarios(requirements: Requirements): Promise<string[]> {
  const list = await readFile(new URL(`requirements/${requirements}.yaml`, SUITE), "utf8");
  const section = /^server:\n((?: {2}- \S+\n|\s*#.*\n|\n)+)/m.exec(list)?.[1] ?? "";
  const names = [...section.matchAll(/^ {2}- (\S+)$/gm)].flatMap(([, name]) => name ?? []);
  if (names.length === 0) throw new Error(`The suite's list for ${requirements} names no server scenario`);
  return names;
}

function suiteProgram(): string {
  return fileURLToPath(new URL("dist/index.js", SUITE));
}

async function inFolder<T>(outDir: string | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  if (outDir !== undefined) return use(outDir);
  const folder = await mkdtemp(join(tmpdir(), "sallyport-conformance-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the suite on this Node and waits for its end; `authorize` gets the URL it prints. */
async function runSuite(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  authorize?: (url: string) => Promise<void>,
): Promise<{ exitCode: number | null; output: string }> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  // No test run that is broken off leaves one behind.
  const kill = (): void => void child.kill("SIGKILL");
  process.on("exit", kill);
  const lines: string[] = [];
  let walk: Promise<void> | undefined;
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    });
    const failed = new Promise<never>((_, reject) => {
      createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
      let url: string | undefined;
      let listening = false;
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (OPEN_THIS.test(lines.at(-1) ?? "")) url = line;
        if (LISTENING.test(line)) listening = true;
        lines.push(line);
        // The two come in either order, and a redirect before the suite listens would be lost.
        if (url === undefined || !listening || authorize === undefined || walk !== undefined) return;
        walk = authorize(url);
        walk.catch(reject);
      });
    });
    const exitCode = await Promise.race([ended, failed]);
    await walk;
    return { exitCode, output: lines.join("\n") };
  } finally {
    kill();
    process.removeListener("exit", kill);
  }
}

/** Reads `<prefix><scenario>-<time>/checks.json`, and adds the required scenarios that left none. */
async function readScenarios(folder: string, prefix: string, required: readonly string[]): Promise<Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const entry of (await readdir(folder)).toSorted()) {
    const name = /^(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(entry)?.[1];
    if (name === undefined || !name.startsWith(prefix)) continue;
    const scenario = name.slice(prefix.length);
    const file = await readFile(join(folder, entry, "checks.json"), "utf8").catch((error: unknown) => {
      // A scenario that breaks off leaves its folder empty.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) {
      scenarios.push({ name: scenario, status: "MISSING", required: required.includes(scenario), checks: [] });
      continue;
    }
    const checks = z.array(checkSchema).parse(JSON.parse(file));
    scenarios.push({ name: scenario, status: worst(checks), required: required.includes(scenario), checks });
  }
  const missing = required.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  return [...scenarios, ...missing.map((name) => ({ name, status: "MISSING", required: true, checks: [] }) as const)];
}

function worst(checks: readonly Check[]): Scenario["status"] {
  const order = ["FAILURE", "WARNING", "SUCCESS"] as const;
  return order.find((status) => checks.some((check) => check.status === status)) ?? "SKIPPED";
}
