import { InMemoryServerEventBus, McpServer, type ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { WholeClock } from "./demo-clock.ts";
import type { McpDefinition } from "./mcp-definition.ts";
import { failure, text } from "./results.ts";

const MAX_SLEEP_MS = 60_000;

/** Progress is told about ten times, but not more often than this, in milliseconds. */
const MIN_STEP_MS = 50;

const nowOutput = z.object({
  timezone: z.string().describe("The time zone the answer is in"),
  local: z.string().describe("Date and time there, ISO 8601 with offset"),
  epoch_ms: z.number().int().describe("Milliseconds since 1970-01-01T00:00:00Z"),
});

/** The demo server `clock`: tells the time, and sleeps with progress. Nothing is kept. */
export function clockServer(clock: WholeClock): McpDefinition<"clock"> {
  return {
    name: "clock",
    changes: new InMemoryServerEventBus(),
    create() {
      const server = new McpServer(
        { name: "sallyport-demo-clock", title: "Clock", version: "0.1.0" },
        {
          instructions: "Tells the time in any time zone, and waits.",
          // The same for everyone and never changing, so anybody on the way may keep it.
          cacheHints: { "tools/list": { ttlMs: 60_000, cacheScope: "public" } },
        },
      );
      server.registerTool(
        "now",
        {
          title: "Current time",
          description: "Tells the current date and time, in UTC or in a time zone.",
          inputSchema: z.object({
            timezone: z.string().max(64).optional().describe("IANA name such as Europe/Berlin; UTC if left out"),
          }),
          outputSchema: nowOutput,
          annotations: { readOnlyHint: true, openWorldHint: false },
        },
        ({ timezone = "UTC" }) => {
          const epoch_ms = clock.now();
          const local = isoIn(timezone, epoch_ms);
          if (local === undefined) {
            return failure(
              `timezone: ${JSON.stringify(timezone)} is not a known IANA time zone. ` +
                'Give a name such as "Europe/Berlin" or "UTC", or leave timezone out for UTC.',
            );
          }
          return { ...text(`${local} (${timezone})`), structuredContent: { timezone, local, epoch_ms } };
        },
      );
      server.registerTool(
        "sleep",
        {
          title: "Wait",
          description: `Waits for up to ${MAX_SLEEP_MS} milliseconds and tells its progress. It can be cancelled.`,
          inputSchema: z.object({
            ms: z.number().int().min(0).max(MAX_SLEEP_MS).describe("How long, in milliseconds"),
          }),
          annotations: { readOnlyHint: true, openWorldHint: false },
        },
        async ({ ms }, context) => {
          const step = Math.max(MIN_STEP_MS, Math.ceil(ms / 10));
          await tellProgress(context, 0, ms);
          for (let slept = 0; slept < ms; ) {
            const next = Math.min(step, ms - slept);
            await clock.sleep(next, context.mcpReq.signal);
            if (context.mcpReq.signal.aborted) return failure(`Cancelled after about ${slept} ms`);
            slept += next;
            await tellProgress(context, slept, ms);
          }
          return text(`Slept ${ms} ms`);
        },
      );
      return server;
    },
  };
}

async function tellProgress({ mcpReq }: ServerContext, progress: number, total: number): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } });
}

/** ISO 8601 with offset in a time zone; undefined if the zone is unknown. */
function isoIn(timeZone: string, epochMs: number): string | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
      timeZoneName: "longOffset",
    });
  } catch {
    return undefined;
  }
  const part = Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  // "GMT+02:00"; without an offset it is "GMT" or "GMT+00:00", as the release of ICU has it.
  const offset = part.timeZoneName?.slice("GMT".length) || "+00:00";
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}${offset}`;
}
