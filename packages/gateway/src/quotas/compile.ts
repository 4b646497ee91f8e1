import type { Allowance, CountRule, Principal, SharedCounts } from "sallyport";
import type { GatewayRequest } from "../policy/request.ts";
import type { QuotaRule } from "./quota.ts";

/** Which quota is used up. */
export interface Exceeded {
  /** Its place among the settings, from 0. */
  readonly index: number;
  /** Whole seconds until its next window. */
  readonly retryAfter: number;
}

/** Compiled quotas; never changed. */
export interface Quotas {
  /**
   * Counts a request on every quota that concerns it, or on none: what one of them refuses uses up no other.
   * @returns the quota that is used up, `undefined` where it may pass; a promise where the store has to be waited for.
   * Never rejects
   */
  take(principal: Principal, request: GatewayRequest): Exceeded | undefined | Promise<Exceeded | undefined>;
}

interface Compiled {
  readonly index: number;
  readonly per: QuotaRule["per"];
  readonly count: CountRule;
  readonly servers: ReadonlySet<string> | undefined;
  readonly tools: ReadonlySet<string> | undefined;
  readonly groups: ReadonlySet<string> | undefined;
  readonly machines: ReadonlySet<string> | undefined;
  readonly ofTools: boolean;
}

/**
 * @param rules counts survive a change of the settings where everything but the limit stays the same
 * @param counts shared with other replicas
 */
export function compileQuotas(rules: readonly QuotaRule[], counts: SharedCounts): Quotas {
  const compiled = rules.map(compileRule);
  const byServer = new Map<string, readonly Compiled[]>();
  const concerning = (server: string): readonly Compiled[] => {
    const known = byServer.get(server);
    if (known) return known;
    const found = compiled.filter(({ servers }) => servers === undefined || servers.has(server));
    byServer.set(server, found);
    return found;
  };

  /** From the quota at `at` on; those before it have been counted. */
  const takeFrom = (
    at: number,
    all: readonly Compiled[],
    principal: Principal,
    request: GatewayRequest,
  ): ReturnType<Quotas["take"]> => {
    for (let index = at; index < all.length; index += 1) {
      const one = all[index];
      if (one === undefined || !concerns(one, principal, request)) continue;
      const allowance = counts.take(one.count, idOf(one, principal, request));
      if (allowance instanceof Promise) {
        return allowance.then(
          (later) => settle(index, all, principal, request, later) ?? takeFrom(index + 1, all, principal, request),
        );
      }
      const exceeded = settle(index, all, principal, request, allowance);
      if (exceeded !== undefined) return exceeded;
    }
    return undefined;
  };

  const settle = (
    at: number,
    all: readonly Compiled[],
    principal: Principal,
    request: GatewayRequest,
    allowance: Allowance,
  ): Exceeded | undefined => {
    const one = all[at];
    if (allowance.ok || one === undefined) return undefined;
    for (const before of all.slice(0, at)) {
      if (concerns(before, principal, request)) counts.giveBack(before.count, idOf(before, principal, request));
    }
    return { index: one.index, retryAfter: allowance.retryAfter };
  };

  return {
    take(principal, request) {
      const all = concerning(request.server);
      return all.length === 0 ? undefined : takeFrom(0, all, principal, request);
    },
  };
}

function compileRule(rule: QuotaRule, index: number): Compiled {
  const set = (names: readonly string[] | undefined) => (names === undefined ? undefined : new Set(names));
  return {
    index,
    per: [...rule.per].sort(),
    count: { label: labelOf(rule), limit: rule.limit, window: rule.window },
    servers: set(rule.servers),
    tools: set(rule.tools),
    groups: set(rule.groups),
    machines: set(rule.machines),
    ofTools: rule.tools !== undefined || rule.per.includes("tool"),
  };
}

/** What makes a quota the same: all but its limit, in whatever order its names stand. */
export function labelOf({ limit: _, per, window, ...selectors }: QuotaRule): string {
  const sorted = Object.entries(selectors).map(([name, names]) => [name, [...(names ?? [])].sort()] as const);
  return `quota ${JSON.stringify([[...per].sort(), window, ...sorted.sort(([a], [b]) => (a < b ? -1 : 1))])}`;
}

function concerns(quota: Compiled, principal: Principal, { method, name }: GatewayRequest): boolean {
  if (quota.ofTools && (method !== "tools/call" || name === undefined)) return false;
  if (quota.tools !== undefined && !quota.tools.has(name ?? "")) return false;
  const { groups, machines } = quota;
  if (groups === undefined && machines === undefined) return true;
  if (principal.kind === "machine") return machines?.has(principal.subject) ?? false;
  return groups !== undefined && principal.groups.some((group) => groups.has(group));
}

/** Whose count it is. Several parts each have their length before them, so that no two ids look the same. */
function idOf({ per }: Compiled, principal: Principal, request: GatewayRequest): string {
  const [only] = per;
  if (per.length === 1 && only !== undefined) return partOf(only, principal, request);
  let id = "";
  for (const part of per) {
    const value = partOf(part, principal, request);
    id += `${value.length} ${value}`;
  }
  return id;
}

function partOf(part: QuotaRule["per"][number], principal: Principal, { server, name }: GatewayRequest): string {
  switch (part) {
    case "principal":
      return principal.kind === "user" ? `u ${principal.subject}` : `m ${principal.subject}`;
    case "client":
      return principal.clientId;
    case "server":
      return server;
    case "tool":
      return `${server} ${name ?? ""}`;
  }
}
