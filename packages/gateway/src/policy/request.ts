import { knownMethods } from "./methods.ts";

/** What is asked of a server, as far as it decides anything. */
export interface GatewayRequest {
  /** Name of the server. */
  readonly server: string;
  readonly httpMethod: "POST" | "GET" | "DELETE";
  /** JSON-RPC method; absent for GET, DELETE and for a posted JSON-RPC response. */
  readonly method?: string | undefined;
  /** The tool, prompt, resource or task that is meant, where the method has one. */
  readonly name?: string | undefined;
}

/**
 * Methods that mean one named thing in every revision. Without its name it cannot be judged what is asked.
 * `resources/subscribe` is not among them: 2026-07-28 has removed it, and only the server can say so (404, -32601).
 */
const namedMethods = new Set(["tools/call", "prompts/get", "resources/read"]);

const known: ReadonlySet<string> = new Set(knownMethods);
const knownLax: ReadonlySet<string> = new Set(knownMethods.map((method) => method.toLowerCase()));

/** Why a request cannot be judged at all; `undefined` if it can. */
export function unjudgeable({ method, name }: GatewayRequest): string | undefined {
  if (method === undefined) return undefined;
  if (namedMethods.has(method)) return name === undefined ? "the method names nothing that could be judged" : undefined;
  if (known.has(method)) return undefined;
  // Given by `*` as some unknown method, it would be a call of any tool, or a whole list, at a server that is lax.
  const lax = method
    .normalize("NFKC")
    .replace(/[\s\p{C}]/gu, "")
    .toLowerCase();
  return knownLax.has(lax) ? "the method is nearly, but not quite, one of MCP's" : undefined;
}
