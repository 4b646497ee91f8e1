import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ListenAddress } from "../config/listen-address.ts";
import { isMetricsPath } from "./metrics-endpoint.ts";

/** A listener that serves `/metrics` and nothing else. */
export interface MetricsListener {
  /** Port it really listens on. */
  readonly port: number;
  close(): void;
}

/** Rejects with the system's error (`EADDRINUSE`, `EACCES`) if it cannot listen. */
export async function listenForMetrics(
  address: ListenAddress,
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>,
): Promise<MetricsListener> {
  const server = createServer((req, res) => {
    if (isMetricsPath(req.url ?? "")) void answer(req, res);
    else res.writeHead(404, { "Content-Type": "text/plain" }).end("there is only /metrics here\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound ? bound.port : address.port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
