import type { IncomingMessage } from "node:http";
import { pipeline, type Readable } from "node:stream";
import type { GatewayRequest } from "../policy/request.ts";
import { decoderOf } from "./content-coding.ts";
import { filterEvents } from "./filter-events.ts";
import { filterLists, type ListFilter } from "./filter-list.ts";
import type { ResponseHead } from "./response-headers.ts";

const listMethods = new Set(["tools/list", "prompts/list", "resources/list", "resources/templates/list"]);

/**
 * Whether the answer may hold a list. A stream that is taken up again may hold the answer to a request of before
 * (MCP 2025-11-25, Resumability and Redelivery).
 */
export const mayAnswerWithList = ({ httpMethod, method }: GatewayRequest, req: IncomingMessage): boolean =>
  httpMethod === "GET" ? req.headers["last-event-id"] !== undefined : method !== undefined && listMethods.has(method);

/** The most that is held of a list, or of an event, in bytes after decoding. */
const maxHeld = 16 * 1024 * 1024;

/** What may be shown: whole, or as it comes. */
export interface ShownAnswer {
  /** Name, value, name, value … */
  readonly headers: string[];
  readonly content: Buffer | Readable;
}

/**
 * Takes out of an upstream's answer what its reader may not use.
 * @param onReady told once, what to show
 * @param onProblem told why it cannot be shown; perhaps after `onReady`, where it broke off later
 */
export function filterAnswer(
  response: IncomingMessage,
  head: ResponseHead,
  filter: ListFilter,
  onReady: (answer: ShownAnswer) => void,
  onProblem: (problem: string) => void,
): void {
  const status = response.statusCode ?? 0;
  const failed = status >= 400;
  const type = head.contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  const isJson = type === "application/json" || type.endsWith("+json");
  const isEventStream = type === "text/event-stream";
  // An error page, from whatever stands before the server: no MCP client reads a list in it.
  if (failed && !isJson && !isEventStream) return onReady({ headers: head.forward, content: response });

  const decoder = decoderOf(head.contentEncoding);
  if (decoder === null) return onProblem("a list in a content coding that cannot be read");
  const headers = withoutFraming(head.forward);
  const settle = (error: Error | null | undefined): void => {
    if (error) onProblem(`a list that cannot be read: ${error.name}`);
  };
  if (isEventStream) {
    const events = filterEvents(filter, maxHeld);
    if (decoder) pipeline(response, decoder, events, settle);
    else pipeline(response, events, settle);
    return onReady({ headers, content: events });
  }
  const source = decoder ? pipeline(response, decoder, settle) : response;
  readWhole(source, (body) => {
    if (body === undefined) return onProblem("a list that is too long");
    const shown = isJson ? filterJson(body, filter) : undefined;
    if (shown === undefined && !failed && body.length > 0) return onProblem("a list in a form that cannot be read");
    const content = shown ?? body;
    headers.push("Content-Length", String(content.length));
    onReady({ headers, content });
  });
}

function filterJson(body: Buffer, filter: ListFilter): Buffer | undefined {
  try {
    return Buffer.from(JSON.stringify(filterLists(JSON.parse(body.toString("utf8")), filter)));
  } catch {
    return undefined;
  }
}

/** @param onEnd told everything that came; `undefined` if it was too much */
function readWhole(source: Readable, onEnd: (body: Buffer | undefined) => void): void {
  const pieces: Buffer[] = [];
  let size = 0;
  source.on("data", (piece: Buffer) => {
    size += piece.length;
    if (size > maxHeld) {
      source.removeAllListeners("data");
      source.removeAllListeners("end");
      source.destroy();
      return onEnd(undefined);
    }
    pieces.push(piece);
  });
  source.on("end", () => onEnd(Buffer.concat(pieces)));
}

/** Headers that are true of the upstream's bytes only. */
const framing = new Set(["content-length", "content-encoding", "content-md5", "content-digest", "digest", "etag"]);

function withoutFraming(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    if (!framing.has(name.toLowerCase())) kept.push(name, headers[i + 1] ?? "");
  }
  return kept;
}
