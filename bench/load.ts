import { connect, type Socket } from "node:net";

/** What a load generator is told. */
export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Connections, each with one request at a time. */
  readonly concurrency: number;
  /** Measured requests. */
  readonly requests: number;
  /** Requests before the measurement begins. */
  readonly warmUp: number;
}

/** What it found. Latencies in milliseconds. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * A closed-loop load generator: POSTs over kept connections, the next request as soon as the response is whole. It
 * writes ready-made bytes to bare sockets, so that it costs far less than what it measures.
 * @throws Error at the first response that is not 200
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  await spread(load, load.warmUp);
  const begin = performance.now();
  const latencies = await spread(load, load.requests);
  const seconds = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return { requestsPerSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
}

async function spread(load: Load, requests: number): Promise<number[]> {
  const latencies: number[] = [];
  let left = requests;
  const next = (): boolean => left-- > 0;
  await Promise.all(Array.from({ length: load.concurrency }, () => runConnection(load, next, latencies)));
  return latencies;
}

function runConnection(load: Load, next: () => boolean, latencies: number[]): Promise<void> {
  const url = new URL(load.url);
  const bytes = requestBytes(url, load);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    let sentAt = 0;
    let received = "";
    const send = (): void => {
      if (!next()) {
        socket.end();
        return resolve();
      }
      sentAt = performance.now();
      socket.write(bytes);
    };
    socket.setEncoding("latin1");
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed")));
    socket.on("data", (text: string) => {
      received += text;
      if (!isWhole(received)) return;
      if (!received.startsWith("HTTP/1.1 200")) return reject(new Error(received));
      latencies.push(performance.now() - sentAt);
      received = "";
      send();
    });
  });
}

function requestBytes(url: URL, load: Load): Buffer {
  const headers = {
    Host: url.host,
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "Content-Length": String(Buffer.byteLength(load.body)),
    ...load.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${url.pathname} HTTP/1.1\r\n${lines.join("")}\r\n${load.body}`);
}

/** Whether a response has come to its end, framed by Content-Length or in chunks. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1];
  if (length !== undefined) return text.length >= headEnd + 4 + Number(length);
  return text.endsWith("\r\n0\r\n\r\n");
}
