import type { IncomingMessage, ServerResponse } from "node:http";
import type { Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import { givenBody } from "./given-body.ts";
import { type MountOptions, publicUrl } from "./public-url.ts";

/** A request of `node:http`, with what frameworks and this library add to it. */
export interface NodeRequest extends IncomingMessage {
  /** The path before a router took its own off (Express, Connect). */
  readonly originalUrl?: string;
  /** What a body parser made of the body. */
  body?: unknown;
  /** Who makes the request, set by `protect`. */
  principal?: Principal;
}

/** The public URL of a request; undefined where its path is not in plain form. */
export const urlOf = (auth: Auth, incoming: NodeRequest, options: MountOptions): URL | undefined =>
  publicUrl(auth, incoming.originalUrl ?? incoming.url ?? "", hostOf(incoming), options);

/** HTTP/2 has `:authority` in place of `Host` (RFC 9113 §8.3.1). */
function hostOf({ headers }: IncomingMessage): string | undefined {
  const authority = headers[":authority"];
  return headers.host ?? (typeof authority === "string" ? authority : undefined);
}

/**
 * The same request as the web knows it. Its signal ends when the client goes before its answer is complete.
 * @param parsed what a body parser made of the body; default: where Express keeps it
 * @throws Error where a body parser has read the body and left nothing of it
 */
export function webRequest(
  url: URL,
  incoming: NodeRequest,
  outgoing: ServerResponse,
  parsed: unknown = incoming.body,
): Request {
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const [name = "", value = ""] = incoming.rawHeaders.slice(index, index + 2);
    if (!name.startsWith(":")) headers.append(name, value);
  }
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const method = incoming.method ?? "GET";
  const init = { method, headers, signal: gone.signal };
  if (method === "GET" || method === "HEAD") return new Request(url, init);
  if (!incoming.readableDidRead) {
    return new Request(url, { ...init, body: ReadableStream.from<Uint8Array>(incoming), duplex: "half" });
  }
  const { body, type } = givenBody(parsed, incoming.headers["content-type"]);
  headers.set("content-type", type);
  for (const name of ["content-length", "content-encoding", "transfer-encoding"]) headers.delete(name);
  return new Request(url, { ...init, body });
}
