/**
 * The gateway as `sallyport serve` composes it, with a real token and both doors, beside the same server reached
 * directly and beside a bare Node proxy without checks. Upstream, proxies and load generator each run in a process of
 * their own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadResult } from "./load.ts";
import { median } from "./median.ts";

const rounds = 5;

export interface Target {
  readonly url: string;
  readonly authorization: string;
}

async function start<T>(
  role: string,
  argument: unknown,
): Promise<{ readonly result: T; readonly child: ChildProcess }> {
  const file = fileURLToPath(new URL("./gateway-roles.ts", import.meta.url));
  const child = fork(file, [role, JSON.stringify(argument)], { execArgv: ["--conditions=sallyport-source"] });
  const [result]: T[] = (await once(child, "message")) as T[];
  if (result === undefined) throw new Error(`the process for ${role} told nothing`);
  return { result, child };
}

export async function benchGateway(): Promise<void> {
  const upstream = await start<Target>("upstream", null);
  const bare = await start<Target>("bare", upstream.result);
  const gateway = await start<Target>("gateway", upstream.result);
  const targets = [
    ["directly", upstream.result],
    ["bare Node proxy, no checks", bare.result],
    ["gateway, both doors", gateway.result],
  ] as const;
  const results = new Map<string, LoadResult[]>(targets.map(([name]) => [name, []]));
  // In turn, so that a slow moment of the machine meets all of them.
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, target] of targets) {
      const { result, child } = await start<LoadResult>("load", target);
      child.disconnect();
      results.get(name)?.push(result);
    }
  }
  for (const { child } of [upstream, bare, gateway]) child.kill();

  const of = (name: string, field: keyof LoadResult): number =>
    median((results.get(name) ?? []).map((result) => result[field]));
  const base = of("bare Node proxy, no checks", "requestsPerSecond");
  console.log(`Small JSON requests over 16 kept connections, median of ${rounds} rounds`);
  for (const [name] of targets) {
    const perSecond = of(name, "requestsPerSecond");
    const latency = `p50 ${of(name, "p50").toFixed(2)} ms  p99 ${of(name, "p99").toFixed(2)} ms`;
    console.log(
      `  ${name.padEnd(30)} ${Math.round(perSecond).toLocaleString("en").padStart(9)} /s  ${latency}   ${(perSecond / base).toFixed(2)} × bare proxy`,
    );
  }
  console.log(
    `  gateway at least 0.8 of the bare proxy: ${of("gateway, both doors", "requestsPerSecond") >= 0.8 * base ? "yes" : "NO"}`,
  );
}
