/**
 * Sallyport in a function of AWS Lambda, behind a function URL or an HTTP API.
 * @packageDocumentation
 */
import type { Writable } from "node:stream";
import type { Auth } from "./auth-face.ts";
import { eventRequest, eventUrl, type HttpEvent, readEvent } from "./lambda-event.ts";
import type { WebHandler } from "./node-middleware.ts";
import type { MountOptions } from "./public-url.ts";
import { pump } from "./pump.ts";

export type { MountOptions, WebHandler };

/** An answer as API Gateway takes it from payload format 2.0. */
export interface HttpResult {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

interface Head {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
}

/** What the Node runtime of Lambda offers for streams. */
interface StreamingRuntime {
  streamifyResponse(handler: (event: unknown, stream: Writable) => Promise<void>): LambdaHandler;
  readonly HttpResponseStream: { from(stream: Writable, head: Head): Writable };
}

/** What a module exports as `handler`. */
export type LambdaHandler = (event: unknown, context: unknown) => Promise<unknown>;

/**
 * A handler that answers whole, for an HTTP API (payload format 2.0) or a function URL that buffers. The authorization
 * server's endpoints are answered here, everything else by `app`. What `app` rejects with fails the invocation.
 */
export const toHandler =
  (auth: Auth, app: WebHandler, options: MountOptions = {}): ((event: unknown) => Promise<HttpResult>) =>
  async (event) => {
    const response = await respond(auth, app, readEvent(event), new AbortController().signal, options);
    const bytes = Buffer.from(await response.arrayBuffer());
    const isText = readable(response.headers);
    return { ...headOf(response), body: bytes.toString(isText ? "utf8" : "base64"), isBase64Encoded: !isText };
  };

/**
 * The same for a function URL whose invoke mode is RESPONSE_STREAM: each part of an answer leaves as it comes. Only
 * where Lambda runs it, as the module's `handler`.
 * @throws Error where the runtime has no `awslambda`
 */
export function toStreamingHandler(auth: Auth, app: WebHandler, options: MountOptions = {}): LambdaHandler {
  const runtime = streamingRuntime();
  return runtime.streamifyResponse(async (event, stream) => {
    const gone = new AbortController();
    stream.once("close", () => gone.abort());
    const response = await respond(auth, app, readEvent(event), gone.signal, options);
    const out = runtime.HttpResponseStream.from(stream, headOf(response));
    // The head leaves with the first write, and there may be no other for long.
    out.write("");
    if (response.body) await pump(response.body, out);
    else await new Promise<void>((resolve) => out.end(resolve));
  });
}

async function respond(
  auth: Auth,
  app: WebHandler,
  event: HttpEvent,
  signal: AbortSignal,
  options: MountOptions,
): Promise<Response> {
  const url = eventUrl(auth, event, options);
  if (!url) return new Response("Not found.\n", { status: 404 });
  const handler = auth.serves(url) ? auth.fetch : app;
  return handler(eventRequest(url, event, signal), { address: event.requestContext.http.sourceIp });
}

function headOf({ status, headers }: Response): Head {
  const plain = Object.fromEntries([...headers].filter(([name]) => name !== "set-cookie"));
  return { statusCode: status, headers: plain, cookies: headers.getSetCookie() };
}

/** Whether a body is text, which needs no Base64. */
function readable(headers: Headers): boolean {
  if (headers.has("content-encoding")) return false;
  return /^(?:text\/|application\/(?:.*\+)?(?:json|xml|javascript|x-www-form-urlencoded)\b)|^$/i.test(
    headers.get("content-type") ?? "",
  );
}

function streamingRuntime(): StreamingRuntime {
  const runtime: unknown = Reflect.get(globalThis, "awslambda");
  if (isStreamingRuntime(runtime)) return runtime;
  throw new Error(
    "there is no awslambda.streamifyResponse: this runs only on Lambda's Node runtime; elsewhere use toHandler, or the adapter of the server you have",
  );
}

const isStreamingRuntime = (value: unknown): value is StreamingRuntime =>
  typeof value === "object" && value !== null && "streamifyResponse" in value && "HttpResponseStream" in value;
