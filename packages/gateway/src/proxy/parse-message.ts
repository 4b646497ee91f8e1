import { isUtf8 } from "node:buffer";
import { memberFault, mostNested } from "./ambiguous-members.ts";

/** One JSON-RPC message, as far as the gateway reads it. */
export interface Message {
  readonly kind: "request" | "notification" | "response";
  /** For answers; null where there is none or it is no JSON-RPC id. */
  readonly id: string | number | null;
  readonly method: string | undefined;
  /** The tool, prompt, resource or task that is meant. */
  readonly name: string | undefined;
  readonly params: Readonly<Record<string, unknown>> | undefined;
}

/** Why a body is no message: JSON-RPC code and text. */
export interface NoMessage {
  readonly id: string | number | null;
  readonly code: -32700 | -32600;
  readonly text: string;
}

/** Where a method names what it means: a member of `params`. */
const nameMembers: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "resources/subscribe": "uri",
  "resources/unsubscribe": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
  "tasks/result": "taskId",
};

/**
 * Reads a POST body as one JSON-RPC message. Batches are refused: MCP dropped them in 2025-06-18, and a forbidden call
 * among allowed ones has slipped past other gateways.
 */
export function parseMessage(body: Buffer): Message | NoMessage {
  if (!isUtf8(body)) return { id: null, code: -32700, text: "The body must be JSON in UTF-8." };
  const text = body.toString("utf8");
  // Before anything is made of it: a text of nothing but brackets would become as many lists.
  const fault = memberFault(text);
  if (fault === "too deep") {
    return { id: null, code: -32600, text: `The body is nested too deeply: ${mostNested} levels are the most.` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { id: null, code: -32700, text: "The body is not valid JSON." };
  }
  if (Array.isArray(value)) {
    return { id: null, code: -32600, text: "Batches are not accepted. Send one message a request." };
  }
  if (!isObject(value)) return { id: null, code: -32600, text: "The body must be one JSON-RPC message." };
  const id = idOf(value.id);
  if (fault === "ambiguous") {
    return { id, code: -32600, text: "Members of the message must have distinct names, written as JSON-RPC has them." };
  }
  const method = value.method;
  if (method === undefined && ("result" in value || "error" in value)) {
    return { kind: "response", id, method: undefined, name: undefined, params: undefined };
  }
  if (typeof method !== "string") {
    return { id, code: -32600, text: "The message must have a method, or be a response." };
  }
  const params = isObject(value.params) ? value.params : undefined;
  const name = params === undefined ? undefined : nameIn(method, params);
  // RFC 8259 §8.2: what half a character becomes differs from parser to parser.
  if (!method.isWellFormed() || name?.isWellFormed() === false) {
    return { id, code: -32600, text: "Method and name must be well-formed Unicode: half of a surrogate pair is none." };
  }
  const kind = "id" in value ? "request" : "notification";
  return { kind, id, method, name, params };
}

/** Whether a body was refused. */
export const isNoMessage = (parsed: Message | NoMessage): parsed is NoMessage => "code" in parsed;

function nameIn(method: string, params: Readonly<Record<string, unknown>>): string | undefined {
  if (!Object.hasOwn(nameMembers, method)) return undefined;
  const name = params[nameMembers[method] ?? ""];
  return typeof name === "string" ? name : undefined;
}

const idOf = (id: unknown): string | number | null => (typeof id === "string" || typeof id === "number" ? id : null);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
