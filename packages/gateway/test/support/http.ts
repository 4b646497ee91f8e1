import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
} from "node:http";
import { text } from "node:stream/consumers";

/** A real HTTP server on a free port of 127.0.0.1. */
export interface TestServer {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

export function serve(handler: RequestListener, port = 0): Promise<TestServer> {
  const server = createServer(handler);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      resolve({
        port: bound,
        url: `http://127.0.0.1:${bound}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Send {
  readonly method?: string;
  readonly path?: string;
  /** A flat array may repeat a name. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: string | Buffer;
}

const agent = new Agent({ keepAlive: false });

/** Sends a request exactly as written: no header is added but Host and the body's framing. */
export function open(port: number, options: Send): Promise<IncomingMessage> {
  const { method = "GET", path = "/", headers = {}, body } = options;
  const flat = Array.isArray(headers) ? [...headers] : Object.entries(headers).flat();
  const has = (name: string): boolean => flat.some((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  if (!has("host")) flat.push("Host", `localhost:${port}`);
  if (body !== undefined && !has("content-length") && !has("transfer-encoding")) {
    flat.push("Content-Length", String(Buffer.byteLength(body)));
  }
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers: flat, agent }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function send(port: number, options: Send): Promise<Answer> {
  const response = await open(port, options);
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** Waits until something holds that another process or socket must bring about. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error("it never came to hold");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Next chunk of a response as text; undefined at its end. */
export function nextChunk(response: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (value: string | undefined): void => {
      response.pause();
      response.removeListener("data", onData);
      response.removeListener("end", onEnd);
      response.removeListener("error", reject);
      resolve(value);
    };
    const onData = (chunk: Buffer): void => settle(chunk.toString("utf8"));
    const onEnd = (): void => settle(undefined);
    if (response.readableEnded) return resolve(undefined);
    response.on("data", onData);
    response.on("end", onEnd);
    response.on("error", reject);
    response.resume();
  });
}
