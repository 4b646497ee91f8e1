/** A server answered something that is no MCP, or nothing in time. The message is for the person at the terminal. */
export class McpFault extends Error {
  override readonly name = "McpFault";
}

/** An answer to a JSON-RPC request: its result, else the error's code where it is JSON-RPC at all, and the status. */
export type McpAnswer = { readonly sessionId: string | undefined } & (
  | { readonly result: Readonly<Record<string, unknown>> }
  | { readonly errorCode: number | undefined; readonly status: number }
);

/** One MCP endpoint, as it is asked. */
export interface Endpoint {
  readonly url: string;
  /** What the server wants besides, such as its credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Bytes of one answer. */
const maxAnswer = 16 * 1024 * 1024;
const requestId = 1;

/**
 * Posts a JSON-RPC request, or a notification, to a Streamable HTTP endpoint and reads the answer, in JSON or from an
 * event stream. Redirects are not followed: the gateway follows none either.
 * @returns `undefined` for a notification
 * @throws McpFault if the server cannot be reached, or redirects
 */
export async function post(
  endpoint: Endpoint,
  message: { readonly method: string; readonly params?: object; readonly isNotification?: boolean },
  headers: Readonly<Record<string, string>>,
): Promise<McpAnswer | undefined> {
  const { method, params, isNotification = false } = message;
  const body = { jsonrpc: "2.0", ...(isNotification ? {} : { id: requestId }), method, params };
  const response = await reach(endpoint, {
    method: "POST",
    body: JSON.stringify(body),
    headers: {
      ...endpoint.headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
  if (isNotification) return void (await response.body?.cancel());
  if (response.status >= 300 && response.status < 400) throw new McpFault(`answers ${response.status}, a redirect`);
  const answer = await answerIn(response, endpoint.signal);
  const sessionId = response.headers.get("mcp-session-id") ?? undefined;
  if (isObject(answer?.result)) return { result: answer.result, sessionId };
  const code = isObject(answer?.error) ? answer.error.code : undefined;
  return { errorCode: typeof code === "number" ? code : undefined, status: response.status, sessionId };
}

/** Asks an endpoint for anything. @throws McpFault if it cannot be reached */
export async function reach({ url, signal }: Endpoint, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: "manual", signal });
  } catch (error) {
    throw new McpFault(whyNot(error, signal));
  }
}

/** The message with our id. */
async function answerIn(response: Response, signal: AbortSignal): Promise<Record<string, unknown> | undefined> {
  const isStream = response.headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
  const decoder = new TextDecoder();
  let held = "";
  let size = 0;
  try {
    for await (const piece of response.body ?? []) {
      size += piece.length;
      if (size > maxAnswer) throw new McpFault("answers with more than 16 MiB");
      held += decoder.decode(piece, { stream: true });
      if (!isStream) continue;
      const events = held.split(/\r\n\r\n|\n\n|\r\r/);
      held = events.pop() ?? "";
      const found = events.map((event) => ours(dataOf(event))).find((message) => message !== undefined);
      // Leaving the loop ends the stream.
      if (found !== undefined) return found;
    }
  } catch (error) {
    throw error instanceof McpFault ? error : new McpFault(whyNot(error, signal));
  }
  return ours(isStream ? dataOf(held) : held);
}

const dataOf = (event: string): string =>
  event
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).replace(/^ /, ""))
    .join("\n");

function ours(text: string): Record<string, unknown> | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(message)) return undefined;
  const isError = message.id === null && "error" in message;
  return message.id === requestId || isError ? message : undefined;
}

function whyNot(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "does not answer in time";
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  return `cannot be reached${code === undefined ? "" : ` (${code})`}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
