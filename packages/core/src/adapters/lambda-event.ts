import { z } from "zod";
import type { Auth } from "./auth-face.ts";
import { type MountOptions, publicUrl } from "./public-url.ts";

/** What is needed of an event of payload format 2.0: API Gateway's HTTP API and function URLs send it. */
const httpEvent = z.object({
  version: z.literal("2.0"),
  rawPath: z.string(),
  rawQueryString: z.string().default(""),
  cookies: z.array(z.string()).default([]),
  headers: z.record(z.string(), z.string().optional()),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().default(false),
  requestContext: z.object({
    stage: z.string().default("$default"),
    http: z.object({ method: z.string(), sourceIp: z.string() }),
  }),
});

export type HttpEvent = z.output<typeof httpEvent>;

/** @throws TypeError for an event of another form, with what would send the right one */
export function readEvent(event: unknown): HttpEvent {
  const { data, error } = httpEvent.safeParse(event);
  if (data) return data;
  const [issue] = error.issues;
  throw new TypeError(
    `not an HTTP event of payload format 2.0 (${issue?.path.join(".")}): use a function URL or an HTTP API with payloadFormatVersion "2.0"`,
  );
}

/** The public URL that an event is for; undefined where its path is not in plain form. */
export function eventUrl(auth: Auth, event: HttpEvent, options: MountOptions): URL | undefined {
  const query = event.rawQueryString === "" ? "" : `?${event.rawQueryString}`;
  return publicUrl(auth, withoutStage(auth, event) + query, event.headers.host, options);
}

/** A stage with a name stands before the path, and where the public URL has none, it is no part of what was asked for. */
function withoutStage(auth: Auth, { rawPath, requestContext }: HttpEvent): string {
  const stage = `/${requestContext.stage}`;
  const isPublic = `${new URL(auth.baseUrl()).pathname}/`.startsWith(`${stage}/`);
  if (isPublic || !`${rawPath}/`.startsWith(`${stage}/`)) return rawPath;
  return rawPath.slice(stage.length) || "/";
}

/** The event as a web request. */
export function eventRequest(url: URL, event: HttpEvent, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) headers.set(name, value);
  if (event.cookies.length > 0) headers.set("cookie", event.cookies.join("; "));
  const { method } = event.requestContext.http;
  const { body } = event;
  if (method === "GET" || method === "HEAD" || typeof body !== "string")
    return new Request(url, { method, headers, signal });
  // What length the body had on its way here does not count any more.
  headers.delete("content-length");
  return new Request(url, {
    method,
    headers,
    signal,
    body: event.isBase64Encoded ? Buffer.from(body, "base64") : body,
  });
}
