import type { Reason } from "sallyport";
import type { PolicyConfig } from "../policy/compile.ts";
import { knownMethods } from "../policy/methods.ts";
import type { Message } from "../proxy/parse-message.ts";
import { other } from "./metric.ts";

/** Values of labels are from closed lists, or names that an operator or a server chose: nothing that a caller sends. */

const methods: ReadonlySet<string> = new Set(knownMethods);
const httpMethods: ReadonlySet<string> = new Set(["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"]);

/** The JSON-RPC method; where there is none, the HTTP method, or `response` for a posted response. */
export function methodLabel(httpMethod: string | undefined, message: Message | undefined): string {
  if (message?.method !== undefined) return methods.has(message.method) ? message.method : other;
  if (message !== undefined) return "response";
  return httpMethodLabel(httpMethod);
}

export const httpMethodLabel = (method: string | undefined): string =>
  method !== undefined && httpMethods.has(method) ? method : other;

/** `2xx`, or `none` where nothing was answered. */
export const statusLabel = (status: number): string =>
  status >= 100 && status < 600 ? `${Math.trunc(status / 100)}xx` : "none";

/** What became of a request: `failed` is nobody's fault who asked. */
export type Decision = "allowed" | "refused" | "failed" | "abandoned";

export function decisionOf(status: number, reason: Reason | undefined): Decision {
  if (reason === undefined) return "allowed";
  return status >= 500 ? "failed" : "refused";
}

/** The most tools of a server that are told apart. */
const mostTools = 500;
/** Names that are longer are no help to anybody. */
const longestName = 128;

/** Which tools have a label value of their own. */
export interface ToolLabels {
  labelOf(server: string, message: Message | undefined): string;
  /** A server has listed a tool. */
  listed(server: string, tool: string): void;
  /** Rules name tools. What is known already stays: its series go on. */
  named(rules: Pick<PolicyConfig, "servers" | "scopes" | "deny">): void;
}

export function createToolLabels(): ToolLabels {
  const known = new Map<string, Set<string>>();
  const add = (server: string, tool: string): void => {
    if (tool.length > longestName) return;
    const tools = known.get(server);
    if (tools === undefined) known.set(server, new Set([tool]));
    else if (tools.size < mostTools) tools.add(tool);
  };
  return {
    labelOf(server, message) {
      if (message?.method !== "tools/call") return "";
      const { name } = message;
      return name !== undefined && known.get(server)?.has(name) === true ? name : other;
    },
    listed: add,
    named({ servers, scopes, deny }) {
      const rules = [...Object.values(scopes).flatMap(({ allow = [] }) => allow), ...deny];
      for (const rule of rules) {
        const tools = rule.tools.filter((tool) => tool !== "*");
        if (tools.length === 0) continue;
        const names = rule.servers.includes("*") ? servers.map(({ name }) => name) : rule.servers;
        for (const server of names) for (const tool of tools) add(server, tool);
      }
    },
  };
}

/** No tool has one: `tool_labels = false`. */
export const noToolLabels: ToolLabels = { labelOf: () => "", listed: () => {}, named: () => {} };
