import type { RequestListener, ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

interface Head {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
}

type StreamHandler = (event: unknown, stream: ServerResponse, context: unknown) => Promise<unknown>;

/**
 * Puts `awslambda` where Lambda's runtime has it.
 * @returns what makes a listener of a streaming handler: each request becomes an event of payload format 2.0
 */
export function serveFunctionUrl(): (
  handler: (event: unknown, context: unknown) => Promise<unknown>,
) => RequestListener {
  const streaming = new WeakMap<object, StreamHandler>();
  const awslambda = {
    streamifyResponse(handler: StreamHandler) {
      const marked = async (): Promise<never> => Promise.reject(new Error("a streaming handler needs a stream"));
      streaming.set(marked, handler);
      return marked;
    },
    HttpResponseStream: {
      from: (stream: ServerResponse, { statusCode, headers, cookies }: Head) =>
        stream.writeHead(statusCode, { ...headers, "set-cookie": cookies }),
    },
  };
  Object.assign(globalThis, { awslambda });
  return (handler) => async (incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", "http://localhost");
    const { cookie, ...headers } = incoming.headers;
    const body = await buffer(incoming);
    const event = {
      version: "2.0",
      rawPath: url.pathname,
      rawQueryString: url.search.slice(1),
      headers,
      ...(cookie === undefined ? {} : { cookies: cookie.split("; ") }),
      ...(body.length === 0 ? {} : { body: body.toString("base64") }),
      isBase64Encoded: body.length > 0,
      requestContext: {
        stage: "$default",
        http: { method: incoming.method ?? "GET", path: url.pathname, sourceIp: incoming.socket.remoteAddress },
      },
    };
    try {
      await streaming.get(handler)?.(event, outgoing, {});
    } catch (error) {
      console.error(error);
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(502).end("Internal Server Error");
    }
  };
}
