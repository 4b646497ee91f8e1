import { createServer, type IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";

const attributes = z
  .array(z.object({ key: z.string(), value: z.looseObject({}) }))
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, Object.values(value)[0]])));

const span = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  traceState: z.string().optional(),
  name: z.string(),
  /** 2: server, 3: client. */
  kind: z.int(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes,
  status: z.object({ code: z.int().optional() }),
});

const traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
});

const metrics = z.object({
  resourceMetrics: z.array(
    z.object({
      scopeMetrics: z.array(
        z.object({
          metrics: z.array(
            z.looseObject({
              name: z.string(),
              sum: z
                .object({
                  isMonotonic: z.literal(true),
                  dataPoints: z.array(z.object({ attributes, asDouble: z.number() })),
                })
                .optional(),
              histogram: z
                .object({ dataPoints: z.array(z.object({ attributes, count: z.number(), sum: z.number() })) })
                .optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

export type CollectedSpan = z.output<typeof span>;

/** A stand-in for an OpenTelemetry collector: a real HTTP server that reads what the exporters send, strictly. */
export interface OtlpCollector {
  readonly url: string;
  readonly headers: readonly IncomingHttpHeaders[];
  /** Everything that came, as it came. */
  readonly bodies: readonly string[];
  spans(): readonly CollectedSpan[];
  /** Metrics of the last message. */
  metrics(): readonly z.output<typeof metrics>["resourceMetrics"][number]["scopeMetrics"][number]["metrics"][number][];
  close(): Promise<void>;
}

/** @param hangs whether it takes requests and never answers */
export async function startCollector(hangs = false): Promise<OtlpCollector> {
  const headers: IncomingHttpHeaders[] = [];
  const bodies: string[] = [];
  const messages: { readonly path: string; readonly body: unknown }[] = [];
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      headers.push(req.headers);
      bodies.push(body);
      messages.push({ path: req.url ?? "", body: JSON.parse(body) });
      if (!hangs) res.writeHead(200, { "Content-Type": "application/json" }).end("{}");
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const of = (path: string) => messages.filter((one) => one.path === path).map(({ body }) => body);
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    headers,
    bodies,
    spans: () =>
      of("/v1/traces").flatMap((body) =>
        traces.parse(body).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      ),
    metrics: () =>
      metrics
        .parse(of("/v1/metrics").at(-1))
        .resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics)),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
