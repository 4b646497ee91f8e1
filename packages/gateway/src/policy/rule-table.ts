import { spelledOut } from "./methods.ts";
import type { GatewayRequest } from "./request.ts";

/** What a rule says of servers, without whom it is for. */
export interface RuleBody {
  readonly servers: readonly string[];
  readonly tools: readonly string[];
  readonly methods: readonly string[];
}

/** What all rules of a table say of one server, each name with the first rule that has it. */
interface ServerRules<Mark> {
  readonly tools: Map<string, Mark>;
  readonly methods: Map<string, Mark>;
  readonly first: Mark;
}

/** Rules by server, then by tool or method: a look-up takes the same time for ten rules and for ten thousand. */
export type RuleTable<Mark> = ReadonlyMap<string, ServerRules<Mark>>;

const every = "*";

/** @param rules each with the mark that a look-up answers where it meets this rule */
export function ruleTable<Mark>(rules: Iterable<readonly [RuleBody, Mark]>): RuleTable<Mark> {
  const table = new Map<string, ServerRules<Mark>>();
  for (const [rule, mark] of rules) {
    const methods = spelledOut(rule.methods);
    for (const server of rule.servers) {
      const known = table.get(server);
      const entry = known ?? { tools: new Map<string, Mark>(), methods: new Map<string, Mark>(), first: mark };
      if (known === undefined) table.set(server, entry);
      for (const tool of rule.tools) if (!entry.tools.has(tool)) entry.tools.set(tool, mark);
      for (const method of methods) if (!entry.methods.has(method)) entry.methods.set(method, mark);
    }
  }
  return table;
}

/**
 * The rule that gives what is asked. `tools/call` is given by naming tools, never by naming methods. What has no method
 * (the stream of a session, its end, an answer to the server's own question) is given by any rule for the server.
 */
export const giving = <Mark>(table: RuleTable<Mark>, request: GatewayRequest): Mark | undefined =>
  givenAt(table.get(request.server), request) ?? givenAt(table.get(every), request);

function givenAt<Mark>(rules: ServerRules<Mark> | undefined, { method, name }: GatewayRequest): Mark | undefined {
  if (rules === undefined) return undefined;
  if (method === undefined) return rules.first;
  if (method !== "tools/call") return rules.methods.get(method) ?? rules.methods.get(every);
  return name === undefined ? undefined : (rules.tools.get(name) ?? rules.tools.get(every));
}

/** The rule that denies what is asked: here every method means everything, tool calls and streams among it. */
export const denying = <Mark>(table: RuleTable<Mark>, request: GatewayRequest): Mark | undefined =>
  deniedAt(table.get(request.server), request) ?? deniedAt(table.get(every), request);

function deniedAt<Mark>(rules: ServerRules<Mark> | undefined, { method, name }: GatewayRequest): Mark | undefined {
  if (rules === undefined) return undefined;
  const whole = rules.methods.get(every);
  if (whole !== undefined || method === undefined) return whole;
  const byMethod = rules.methods.get(method);
  if (byMethod !== undefined || method !== "tools/call") return byMethod;
  return (name === undefined ? undefined : rules.tools.get(name)) ?? rules.tools.get(every);
}
