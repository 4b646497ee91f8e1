/**
 * How long a decision takes, and whether it stays the same as tools, rules and servers grow; and how long the rules take
 * to compile. Nothing here does I/O.
 */

import { compile, decide, type Policy, type PolicyConfig } from "@sallyport/gateway";
import type { Principal } from "sallyport";
import { median } from "./median.ts";

const rounds = 7;
const decisions = 200_000;
/** Different requests in turn, spread over all servers. */
const different = 20;
const challenges = { challenge: () => ({ scope: "", resourceMetadata: "" }) };

/** Tools spread over rules of at most ten tools, rules over servers of at most a hundred tools, scopes in turn. */
function configOf(tools: number, denied: boolean): PolicyConfig {
  const servers = Math.ceil(tools / 100);
  const allow = ["a", "b", "c"].map(() => [] as { servers: string[]; tools: string[]; methods: string[] }[]);
  for (let first = 0; first < tools; first += 10) {
    const names = Array.from({ length: Math.min(10, tools - first) }, (_, n) => `tool-${first + n}`);
    allow[(first / 10) % 3]?.push({ servers: [`s${Math.floor(first / 100)}`], tools: names, methods: ["read"] });
  }
  return {
    servers: Array.from({ length: servers }, (_, n) => ({ name: `s${n}`, resource: `r${n}`, requiredScopes: [] })),
    scopes: Object.fromEntries(allow.map((rules, n) => [`scope-${n}`, { allow: rules }])),
    deny: denied ? [{ servers: ["*"], tools: ["never"], methods: [] }] : [],
  };
}

const holder = (server: number): Principal => ({
  kind: "user",
  subject: "user",
  groups: ["g"],
  claims: {},
  clientId: "client",
  resource: `r${server}`,
  tokenScopes: [],
  scopes: ["scope-0", "scope-1", "scope-2"],
  entitled: ["scope-0", "scope-1", "scope-2"],
  expiresAt: 0,
  doors: { token: true, grant: true },
});

function nanoseconds(policy: Policy, tools: number, tool: (n: number) => string): number {
  const servers = Math.ceil(tools / 100);
  const holders = Array.from({ length: servers }, (_, n) => holder(n));
  // The names are made before: it is the decision that is measured.
  const asked = Array.from({ length: different }, (_, n) => {
    const at = Math.floor((n * tools) / different);
    const server = Math.floor(at / 100);
    return {
      who: holders[server] ?? holder(0),
      request: { server: `s${server}`, httpMethod: "POST", method: "tools/call", name: tool(at) } as const,
    };
  });
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const begin = performance.now();
    let allowed = 0;
    for (let n = 0; n < decisions; n += 1) {
      const { who, request } = asked[n % asked.length] ??
        asked[0] ?? { who: holder(0), request: { server: "", httpMethod: "GET" } };
      if (decide(policy, who, request).allow) allowed += 1;
    }
    times.push(((performance.now() - begin) / decisions) * 1e6);
    if (allowed !== decisions) throw new Error(`${decisions - allowed} decisions were wrong`);
  }
  return median(times);
}

export async function benchPolicy(): Promise<void> {
  console.log(`Decisions, median of ${rounds} rounds of ${decisions.toLocaleString("en")}`);
  const found: number[] = [];
  for (const tools of [10, 1_000, 100_000]) {
    const config = configOf(tools, true);
    const begin = performance.now();
    const policy = compile(config, challenges);
    const compiled = performance.now() - begin;
    const rules = Object.values(config.scopes).reduce((sum, { allow = [] }) => sum + allow.length, 0);
    const each = nanoseconds(policy, tools, (n) => `tool-${n}`);
    found.push(each);
    console.log(
      `  ${tools.toLocaleString("en").padStart(7)} tools  ${rules.toLocaleString("en").padStart(6)} rules  ${config.servers.length
        .toLocaleString("en")
        .padStart(
          5,
        )} servers: compiled in ${compiled.toFixed(1).padStart(6)} ms, a decision takes ${each.toFixed(0).padStart(4)} ns`,
    );
  }
  const [least = 0] = found;
  const most = Math.max(...found) / least;
  console.log(`  10,000 × the tools cost ${most.toFixed(1)} × the time; below 3 ×: ${most < 3 ? "yes" : "NO"}`);
}
