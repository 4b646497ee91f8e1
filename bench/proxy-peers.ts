import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A running server. */
export interface Running {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The peer that the gateway is measured against: a bare reverse proxy on Node's own http module, with kept connections
 * and without any check. Bodies are piped both ways, headers go through as they are but for `Host`.
 * @param targetUrl where everything goes
 */
export function startBareProxy(targetUrl: string): Promise<Running> {
  const target = new URL(targetUrl);
  const agent = new Agent({ keepAlive: true });
  const server = createServer((req, res) => {
    const upstream = request(
      {
        agent,
        hostname: target.hostname,
        port: target.port,
        path: req.url,
        method: req.method,
        headers: { ...req.headers, host: target.host },
      },
      (response) => {
        res.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(res);
      },
    );
    upstream.on("error", () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on("close", () => upstream.destroy());
    req.pipe(upstream);
  });
  return listen(server, () => agent.destroy());
}

/** An upstream that does as little as an MCP server can: reads the request and answers a small result. */
export function startSmallUpstream(): Promise<Running> {
  const result = { content: [{ type: "text", text: "2026-11-20T12:00:00.000Z" }], isError: false };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, result });
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  const server = createServer((req, res) => {
    req.resume();
    req.on("end", () => {
      res.writeHead(200, headers);
      res.end(body);
    });
  });
  return listen(server, () => {});
}

/** Lets a server listen on a free port of 127.0.0.1. */
export function listen(server: ReturnType<typeof createServer>, onClose: () => void): Promise<Running> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
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
