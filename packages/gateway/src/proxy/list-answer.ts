import type { IncomingMessage } from "node:http";
import { pipeline, type Readable, type Transform } from "node:stream";
import type { GatewayRequest } from "../policy/request.ts";
import { decoderOf, takesCoding } from "./content-coding.ts";
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

/** A response's form, as far as it decides how to read it. */
function formOf(contentType: string | undefined): "json" | "events" | "other" {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "text/event-stream") return "events";
  return type === "application/json" || type.endsWith("+json") ? "json" : "other";
}

/** An error page, from whatever stands before the server: no MCP client reads a list in it. */
const isErrorPage = (status: number, head: ResponseHead): boolean =>
  status >= 400 && formOf(head.contentType) === "other";

/**
 * Whether an answer cannot go on as it came: something may have to be taken out of it, or it is in a content coding
 * that nobody asked for.
 * @param filter given where there may be a list in it
 */
export function isShaped(
  status: number,
  head: ResponseHead,
  filter: ListFilter | undefined,
  req: IncomingMessage,
): boolean {
  if (filter !== undefined && !isErrorPage(status, head)) return true;
  // Nothing is in no coding.
  if (head.contentEncoding === undefined || head.contentLength === 0) return false;
  return !takesCoding(req.headers["accept-encoding"], head.contentEncoding);
}

/**
 * Decodes an upstream's answer and takes out of it what its reader may not use.
 * @param onReady told once, what to show
 * @param onProblem told why it cannot be shown; perhaps after `onReady`, where it broke off later
 */
export function shapeAnswer(
  status: number,
  body: Readable,
  head: ResponseHead,
  filter: ListFilter | undefined,
  onReady: (answer: ShownAnswer) => void,
  onProblem: (problem: string) => void,
): void {
  const failed = status >= 400;
  const form = formOf(head.contentType);
  const decoder = decoderOf(head.contentEncoding);
  const isLookedAt = filter !== undefined && !isErrorPage(status, head);
  if (decoder === null) {
    if (isLookedAt) return onProblem("a list in a content coding that cannot be read");
    return onReady({ headers: head.forward, content: body });
  }
  const headers = withoutFraming(head.forward);
  const through = (source: Readable, step: Transform): Transform => {
    const settle = (error: Error | null | undefined): void => {
      if (error) onProblem(`an answer that cannot be read: ${error.name}`);
    };
    // A decoder finds out that its input was cut off only after the pipeline has taken its leave.
    step.on("error", settle);
    return pipeline(source, step, settle);
  };
  const source = decoder ? through(body, decoder) : body;
  if (!isLookedAt) return onReady({ headers, content: source });
  if (form === "events") return onReady({ headers, content: through(source, filterEvents(filter, maxHeld)) });
  readWhole(source, (whole) => {
    if (whole === undefined) return onProblem("a list that is too long");
    const shown = form === "json" ? filterJson(whole, filter) : undefined;
    if (shown === undefined && !failed && whole.length > 0) return onProblem("a list in a form that cannot be read");
    const content = shown ?? whole;
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
