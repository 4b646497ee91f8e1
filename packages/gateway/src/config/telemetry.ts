import { duration } from "sallyport";
import { z } from "zod";
import { listenAddress } from "./listen-address.ts";

/** Base URL of an OTLP collector. Plain http and private addresses are fine: an operator wrote it. */
const collectorUrl = () =>
  z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const fail = (message: string) => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
      return fail("write the collector's base URL, such as http://127.0.0.1:4318");
    }
    if (url.username || url.password) return fail("must not hold a user name or password; use headers");
    if (url.search || url.hash) return fail("must have no query or fragment");
    if (/\/v1\/(?:traces|metrics)\/?$/.test(url.pathname)) return fail("leave out /v1/traces and /v1/metrics");
    return url.href.replace(/\/+$/, "");
  });

const otlp = z
  .strictObject({
    endpoint: collectorUrl().describe("Base URL of the collector; /v1/traces and /v1/metrics are added."),
    headers: z
      .record(
        z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, "is no name of a header"),
        z
          .string()
          .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "a header has printable ASCII characters only")
          .meta({ secret: true }),
      )
      .default({})
      .describe("Sent with everything, such as an API key: env:NAME or file:path."),
    traces: z.boolean().default(true).describe("Sends traces."),
    metrics: z.boolean().default(true).describe("Sends metrics."),
    sampleRatio: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe("Which part of the traces that begin here is recorded, 0 to 1."),
    followCallers: z
      .boolean()
      .default(true)
      .describe("A caller that is in a trace says whether it is recorded. Off: sample_ratio alone decides."),
    interval: duration({ min: "1s", max: "1h" }).prefault("60s").describe("How often metrics are sent."),
    timeout: duration({ min: "100ms", max: "1m" })
      .prefault("10s")
      .describe("How long sending may take, repeats included."),
  })
  .describe("Sends traces and metrics to an OpenTelemetry collector (OTLP over HTTP). Off when left out.");

/** What the gateway tells of itself. */
export const telemetry = z
  .strictObject({
    metrics: z
      .enum(["off", "token", "public"])
      .default("off")
      .describe("Who may read /metrics on the main listener: nobody, whoever has a token, or everybody."),
    metricsTokenHashes: z
      .array(
        z
          .string()
          .regex(/^sha256:[A-Za-z0-9_-]{43}$/, "write sha256:… as `sallyport secret` prints it, not the token itself"),
      )
      .default([])
      .describe("SHA-256 of each token that may read metrics, as `sallyport secret` makes it."),
    metricsListen: listenAddress()
      .optional()
      .describe("Where /metrics is served besides, for whoever can reach it, such as 127.0.0.1:9464."),
    toolLabels: z
      .boolean()
      .default(true)
      .describe("Counts requests by tool too: tools that a rule names or a server has listed, 500 of each server."),
    baggage: z
      .boolean()
      .default(false)
      .describe("Passes W3C baggage on to the servers; it says whatever a caller likes."),
    accessLog: z.string().min(1).default("off").describe("Where a line for each request goes: off, stderr, or a file."),
    otlp: otlp.optional(),
  })
  .describe("Metrics, traces and the access log.");

/** What the gateway tells of itself. */
export type TelemetryConfig = z.output<typeof telemetry>;
