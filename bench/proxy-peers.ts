import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { freePort } from "../test/support/free-port.ts";

/** A running server. */
export interface Running {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The peer that the gateway is measured against: a bare reverse proxy over undici's dispatch without any check. It does
 * what is fastest: the body is collected, since one piece costs undici less than a stream, and the answer is written as
 * it comes.
 * @param targetUrl where everything goes
 */
export function startUndiciProxy(targetUrl: string): Promise<Running> {
  const target = new URL(targetUrl);
  const pool = new Pool(target.origin, { headersTimeout: 0, bodyTimeout: 0, allowH2: false });
  const hop = new Set(["host", "connection", "keep-alive", "transfer-encoding", "upgrade", "expect", "content-length"]);
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const headers: string[] = [];
      const { rawHeaders } = req;
      for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
        const name = (rawHeaders[i] ?? "").toLowerCase();
        if (!hop.has(name)) headers.push(name, rawHeaders[i + 1] ?? "");
      }
      const body = chunks.length === 0 ? null : chunks.length === 1 ? (chunks[0] ?? null) : Buffer.concat(chunks);
      pool.dispatch({ path: req.url ?? "/", method: req.method ?? "GET", headers, body }, forward(res));
    });
  });
  return listen(server, () => void pool.destroy());
}

const forward = (res: ServerResponse): Dispatcher.DispatchHandler => ({
  onRequestStart(controller) {
    res.on("close", () => {
      if (!res.writableFinished) controller.abort(new Error("the client went away"));
    });
  },
  onResponseStart(_controller, status, headers) {
    const raw: string[] = [];
    for (const [name, value] of Object.entries(headers)) {
      if (name === "connection" || name === "keep-alive" || name === "transfer-encoding" || name === "date") continue;
      for (const one of Array.isArray(value) ? value : [value ?? ""]) raw.push(name, one);
    }
    res.writeHead(status, raw);
  },
  onResponseData(controller, chunk) {
    if (res.write(chunk)) return;
    controller.pause();
    res.once("drain", () => controller.resume());
  },
  onResponseEnd() {
    res.end();
  },
  onResponseError() {
    if (res.headersSent) res.destroy();
    else res.writeHead(502).end();
  },
});

/**
 * nginx as a reverse proxy without checks: one worker, HTTP/1.1 and kept connections to the upstream, no log.
 * @param targetUrl where everything goes
 * @param program path of nginx
 */
export async function startNginx(targetUrl: string, program: string): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  await writeFile(file, nginxConfig(folder, port, new URL(targetUrl).host));
  const child = spawn(program, ["-p", folder, "-c", file, "-e", join(folder, "error.log")], { stdio: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  const ended = once(child, "exit");
  for (let tries = 0; !(await answers(url)); tries += 1) {
    if (tries > 100 || child.exitCode !== null) throw new Error("nginx does not start");
    await sleep(50);
  }
  return {
    url,
    async close() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const answers = async (url: string): Promise<boolean> => {
  try {
    await (await fetch(`${url}/nginx-is-there`)).text();
    return true;
  } catch {
    return false;
  }
};

const nginxConfig = (folder: string, port: number, upstream: string): string => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  upstream target { server ${upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 4s; }
  server {
    listen 127.0.0.1:${port};
    location = /nginx-is-there { return 200; }
    location / {
      proxy_pass http://target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering on;
    }
  }
}
`;

/**
 * An upstream that does as little as an MCP server can: reads the request and answers a small result. A GET is answered
 * with an event stream that stays open.
 */
export function startSmallUpstream(): Promise<Running> {
  const result = { content: [{ type: "text", text: "2026-11-20T12:00:00.000Z" }], isError: false };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, result });
  const headers = ["Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body))];
  const server = createServer((req, res) => {
    req.resume();
    if (req.method === "GET") {
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.write(": hello\n\n");
      return;
    }
    req.on("end", () => {
      res.writeHead(200, headers);
      res.end(body);
    });
  });
  return listen(server, () => {});
}

/** Lets a server listen on a free port of 127.0.0.1. */
function listen(server: Server, onClose: () => void): Promise<Running> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
      const { port } = server.address() as AddressInfo;
      resolve({
        url: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((closed) => {
            onClose();
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
