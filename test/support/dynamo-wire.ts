import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { DynamoServer } from "./dynamo-server.ts";

/** What becomes of a request to DynamoDB: `lost` has its effect, and its answer never comes. */
export type Fate = "pass" | "lost" | "throttle" | "hang" | { readonly status: number; readonly body: object };

/** Stands between a store and DynamoDB. */
export interface DynamoWire {
  readonly seen: { readonly operation: string; readonly body: Record<string, unknown> }[];
  /** What becomes of the next requests, in order; then of all others {@link fate}. */
  fates: Fate[];
  /** Default `pass`. */
  fate: Fate;
  /** The clock by which answers are dated, ms; default the machine's. */
  now: () => number;
  /** How many requests hang at the moment. */
  hanging(): number;
  /** URL of a store behind it, by the name of a table. */
  url(table: string): string;
  close(): void;
}

export async function startDynamoWire(target: DynamoServer): Promise<DynamoWire> {
  const endpoint = new URL(new URL(target.url("any")).searchParams.get("endpoint") ?? "");
  const held = new Set<ServerResponse>();
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const operation = String(req.headers["x-amz-target"]).split(".")[1] ?? "";
    wire.seen.push({ operation, body: JSON.parse(body.toString("utf8")) });
    const fate = wire.fates.shift() ?? wire.fate;
    if (fate === "hang") {
      held.add(res);
      res.once("close", () => held.delete(res));
      return;
    }
    const date = new Date(wire.now()).toUTCString();
    if (typeof fate === "object" || fate === "throttle") {
      const throttled = { __type: "com.amazonaws.dynamodb.v20120810#ThrottlingException", message: "slow down" };
      const { status, body: text } = fate === "throttle" ? { status: 400, body: throttled } : fate;
      res.writeHead(status, { "content-type": "application/x-amz-json-1.0", date }).end(JSON.stringify(text));
      return;
    }
    const onward = request(endpoint, { method: "POST", path: "/", headers: req.headers }, (upstream) => {
      if (fate === "lost") return void upstream.resume().once("end", () => res.destroy());
      res.writeHead(upstream.statusCode ?? 502, { ...upstream.headers, date });
      upstream.pipe(res);
    });
    onward.on("error", () => res.destroy());
    onward.end(body);
  };
  // Whoever goes away while sending is not the test's concern.
  const server = createServer((req, res) => void answer(req, res).catch(() => res.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const wire: DynamoWire = {
    seen: [],
    fates: [],
    fate: "pass",
    now: Date.now,
    hanging: () => held.size,
    url: (table) =>
      `dynamodb://${table}?region=eu-central-1&endpoint=${encodeURIComponent(`http://127.0.0.1:${port}`)}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return wire;
}
