/**
 * The gateway as `sallyport serve` composes it: a real token and both doors, 1,000 rules, audit to a file, metrics and
 * limits. Beside it the same upstream reached directly, through nginx without checks, and through a bare proxy over
 * undici's dispatch. Everything runs in processes of its own; wrk asks.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { GatewayPlan, Target } from "./gateway-roles.ts";
import { median } from "./median.ts";
import { type LoadResult, runWrk } from "./wrk.ts";

const targets = { ofUndici: 0.9, ofNginx: 0.4, goalOfNginx: 0.5, addedP99: 2, flat: 0.9, streams: 64 };
const connections = 32;
const streamsBeside = 100;
const idleStreams = 10_000;

/** How long and how often; `quick` for a first look. */
const plans = {
  full: { rounds: 7, seconds: 4, servers: 1000, grants: 100_000, tokens: 1000 },
  quick: { rounds: 3, seconds: 2, servers: 1000, grants: 100_000, tokens: 200 },
};

interface Started<T> {
  readonly result: T;
  readonly child: ChildProcess;
}

const children = new Set<ChildProcess>();

async function start<T>(role: string, argument: unknown): Promise<Started<T>> {
  const file = fileURLToPath(new URL("./gateway-roles.ts", import.meta.url));
  const child = fork(file, [role, JSON.stringify(argument)], { execArgv: ["--conditions=sallyport-source"] });
  children.add(child);
  const told: unknown[] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error(`the process for ${role} ended`))),
  ]);
  return { result: told[0] as T, child };
}

async function stop(child: ChildProcess): Promise<void> {
  children.delete(child);
  const ended = once(child, "exit");
  child.disconnect();
  await ended;
}

/** One thing to be asked, by name. */
interface Contestant {
  readonly name: string;
  readonly target: Target;
  /** Streams held open beside. */
  readonly streams?: number;
}

const program = (variable: string, fallback: string): string => process.env[variable] ?? fallback;
const wrk = program("SALLYPORT_BENCH_WRK", "/usr/bin/wrk");
const nginx = program("SALLYPORT_TEST_NGINX", "/usr/sbin/nginx");

const load = (target: Target, seconds: number, pause = 0): Promise<LoadResult> =>
  runWrk(wrk, {
    url: `${target.url}/server-0/mcp`,
    tokens: target.tokens.length > 0 ? target.tokens : ["x".repeat(700)],
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": "2025-11-25",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now", arguments: {} } }),
    connections,
    seconds,
    pause,
  });

/** All in turn, round by round, so that a slow moment of the machine meets all of them. The first round warms up. */
async function compare(
  contestants: readonly Contestant[],
  plan: { readonly rounds: number; readonly seconds: number },
  pause: (round: number) => number = () => 0,
): Promise<Map<string, LoadResult[]>> {
  const found = new Map<string, LoadResult[]>(contestants.map(({ name }) => [name, []]));
  for (let round = -1; round < plan.rounds; round += 1) {
    for (const { name, target, streams } of contestants) {
      const held = streams === undefined ? undefined : await start<number>("streams", { target, streams });
      const result = await load(target, plan.seconds, pause(round));
      if (held !== undefined) await stop(held.child);
      if (round >= 0) found.get(name)?.push(result);
    }
  }
  return found;
}

const of = (results: readonly LoadResult[] | undefined, field: keyof LoadResult): number =>
  median((results ?? []).map((result) => result[field]));

/** Median of what each round says by itself: what else the machine does meets both of a round alike. */
const ratio = (results: readonly LoadResult[] | undefined, others: readonly LoadResult[] | undefined): number =>
  median((results ?? []).map((result, at) => result.perSecond / (others?.[at]?.perSecond ?? Number.NaN)));

let missed = false;

function verdict(text: string, met: boolean): void {
  if (!met) missed = true;
  console.log(`  ${text.padEnd(78)} ${met ? "yes" : "NO"}`);
}

const count = (number: number): string => Math.round(number).toLocaleString("en");

const line = (name: string, results: readonly LoadResult[] | undefined, rest = ""): void =>
  console.log(
    `  ${name.padEnd(44)}${count(of(results, "perSecond")).padStart(9)} /s  p50 ${of(results, "p50").toFixed(2)} ms  p99 ${of(results, "p99").toFixed(2)} ms  ${rest}`,
  );

const gatewayPlan = (upstream: Target, change: Partial<GatewayPlan> = {}): GatewayPlan => ({
  upstream: upstream.url,
  servers: 1,
  grants: 0,
  tokens: 1,
  ...change,
});

async function throughput(upstream: Target, plan: (typeof plans)["full"]): Promise<void> {
  const proxy = await start<Target>("nginx", { url: upstream.url, program: nginx });
  const bare = await start<Target>("undici", upstream.url);
  const gateway = await start<Target>("gateway", gatewayPlan(upstream));
  const contestants: Contestant[] = [
    { name: "directly", target: upstream },
    { name: "nginx, one worker, no checks", target: proxy.result },
    { name: "bare proxy over undici's dispatch, no checks", target: bare.result },
    { name: "gateway", target: gateway.result },
    { name: `gateway, ${streamsBeside} open streams beside`, target: gateway.result, streams: streamsBeside },
  ];
  const [, nginxName, bareName, gatewayName, besideName] = contestants.map(({ name }) => name);
  const found = await compare(contestants, plan);
  console.log(`\nSmall tool calls over ${connections} kept connections, medians of ${plan.rounds} rounds`);
  for (const [name, results] of found) {
    const toNginx = ratio(results, found.get(nginxName ?? "")).toFixed(2);
    const toBare = ratio(results, found.get(bareName ?? "")).toFixed(2);
    line(name, results, `${toBare} × bare  ${toNginx} × nginx`);
  }
  for (const name of [gatewayName, besideName]) {
    const results = found.get(name ?? "");
    const toBare = ratio(results, found.get(bareName ?? ""));
    const toNginx = ratio(results, found.get(nginxName ?? ""));
    verdict(
      `${name}: at least ${targets.ofUndici} of the bare proxy: ${toBare.toFixed(2)}`,
      toBare >= targets.ofUndici,
    );
    verdict(
      `${name}: at least ${targets.ofNginx} of nginx (${targets.goalOfNginx} is the goal): ${toNginx.toFixed(2)}`,
      toNginx >= targets.ofNginx,
    );
  }

  const half = of(found.get(gatewayName ?? ""), "perSecond") / 2;
  const pause = (connections / half) * 1000;
  const calm = await compare(
    contestants.filter(({ name }) => name === "directly" || name === gatewayName || name === nginxName),
    plan,
    () => pause,
  );
  console.log(`\nAt half of the gateway's load, ${count(half)} /s wanted`);
  for (const [name, results] of calm) line(name, results);
  const direct = calm.get("directly") ?? [];
  const added = median((calm.get(gatewayName ?? "") ?? []).map(({ p99 }, at) => p99 - (direct[at]?.p99 ?? 0)));
  verdict(`p99 added at half load under ${targets.addedP99} ms: ${added.toFixed(2)} ms`, added < targets.addedP99);
  for (const { child } of [proxy, bare, gateway]) await stop(child);
}

/** Whether it is all the same how much there is. */
async function growth(upstream: Target, plan: (typeof plans)["full"]): Promise<void> {
  const { servers, grants, tokens } = plan;
  const few = await start<Target>("gateway", gatewayPlan(upstream));
  const wide = await start<Target>("gateway", gatewayPlan(upstream, { servers }));
  const full = await start<Target>("gateway", gatewayPlan(upstream, { grants, tokens }));
  const names = {
    few: "1 server, 1 live grant",
    wide: `${count(servers)} servers`,
    full: `${count(grants)} live grants, ${count(tokens)} of them at work`,
  };
  const found = await compare(
    [
      { name: names.few, target: few.result },
      { name: names.wide, target: wide.result },
      { name: names.full, target: full.result },
    ],
    plan,
  );
  console.log("\nGrowth");
  for (const [name, results] of found) line(name, results);
  for (const name of [names.wide, names.full]) {
    const flat = ratio(found.get(name), found.get(names.few));
    verdict(`${name}: at least ${targets.flat} of one: ${flat.toFixed(2)}`, flat >= targets.flat);
  }
  for (const { child } of [few, wide, full]) await stop(child);
}

/** Memory of a process, in MiB. */
function resident(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

const openFiles = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);

async function memory(upstream: Target, plan: (typeof plans)["full"], upstreamPid: number | undefined): Promise<void> {
  const { result: target, child } = await start<Target>("gateway", gatewayPlan(upstream));
  // Two sockets each, and what a process needs besides.
  const streams = Math.min(idleStreams, Math.floor((openFiles - 500) / 2));
  await load(target, plan.seconds);
  // Whatever the load has left behind is collected by and by; it is no part of the streams.
  await sleep(5000);
  const [before, upstreamBefore] = [resident(target.pid), resident(upstreamPid)];
  const held = await start<number>("streams", { target, streams });
  await sleep(5000);
  const forAll = (pid: number | undefined, empty: number): number => ((resident(pid) - empty) / streams) * idleStreams;
  const grown = forAll(target.pid, before);
  console.log(`\nMemory: ${before.toFixed(0)} MiB before, ${count(streams)} idle streams open`);
  console.log(
    `  for ${count(idleStreams)}: the gateway ${grown.toFixed(0)} MiB; a bare Node server, which has one end of each only, ${forAll(upstreamPid, upstreamBefore).toFixed(0)} MiB`,
  );
  verdict(
    `${count(idleStreams)} idle streams in at most ${targets.streams} MiB: ${grown.toFixed(0)} MiB`,
    grown <= targets.streams,
  );
  for (const started of [held.child, child]) await stop(started);
}

/** Measures and prints; the exit status says whether every target was met. */
export async function benchGateway(options: readonly string[] = []): Promise<void> {
  const plan = options.includes("--quick") ? plans.quick : plans.full;
  const parts = { throughput, growth, memory };
  const chosen = Object.entries(parts).filter(([name]) => options.includes(name));
  console.log(`Gateway: ${availableParallelism()} CPUs, load ${loadavg()[0]?.toFixed(1)} before`);
  try {
    for (const part of chosen.length > 0 ? chosen.map(([, run]) => run) : Object.values(parts)) {
      const upstream = await start<Target>("upstream", null);
      await part(upstream.result, plan, upstream.child.pid);
      await stop(upstream.child);
    }
  } finally {
    for (const child of [...children]) child.disconnect();
  }
  if (missed) process.exitCode = 1;
}
