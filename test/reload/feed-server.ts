import { createServer, type ServerResponse } from "node:http";

/** An MCP server that a test holds in its hands. */
export interface FeedServer {
  readonly url: string;
  /** Sends an event to every open stream. */
  send(text: string): void;
  /** Requests that have come, GETs among them. */
  readonly requests: number;
  /** Open streams. */
  readonly streams: number;
  /** Connections that were made to it, over all time. */
  readonly connections: number;
  /** Calls of the tool `wait` that have come and are not answered. */
  readonly waiting: number;
  /** Answers all of them. */
  answer(): void;
  close(): Promise<void>;
}

/** Has the tools `now` (answers at once) and `wait` (answers when the test says so), and a stream on GET. */
export async function startFeedServer(tools: readonly string[] = ["now", "wait"]): Promise<FeedServer> {
  const streams = new Set<ServerResponse>();
  const waiting = new Map<ServerResponse, unknown>();
  let [requests, connections] = [0, 0];
  const answer = (res: ServerResponse, id: unknown, result: object): void => {
    if (!res.destroyed) res.writeHead(200, { "content-type": "application/json" });
    if (!res.destroyed) res.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
  const server = createServer((req, res) => {
    requests += 1;
    if (req.method === "GET") {
      streams.add(res);
      res.once("close", () => streams.delete(res));
      res.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
      return;
    }
    let text = "";
    req.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    req.on("end", () => {
      const { id, method, params } = JSON.parse(text);
      if (method === "tools/list") {
        answer(res, id, { tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })) });
      } else if (params?.name === "wait") {
        waiting.set(res, id);
        res.once("close", () => waiting.delete(res));
      } else answer(res, id, { content: [] });
    });
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    send: (line) => {
      for (const res of streams) res.write(`data: ${line}\n\n`);
    },
    get requests() {
      return requests;
    },
    get streams() {
      return streams.size;
    },
    get connections() {
      return connections;
    },
    get waiting() {
      return waiting.size;
    },
    answer() {
      for (const [res, id] of waiting) answer(res, id, { content: [] });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
