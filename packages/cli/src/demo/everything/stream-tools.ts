import type { LoggingLevel, McpServer, ServerContext } from "@modelcontextprotocol/server";
import type { WholeClock } from "../demo-clock.ts";
import { text } from "../results.ts";

/** The pause between two notifications, in milliseconds: long enough for each to travel alone. */
const PAUSE_MS = 50;

/** Tools that say something before their result: log messages, progress, a stream that breaks. */
export function addStreamTools(server: McpServer, clock: WholeClock): void {
  const pause = (context: ServerContext): Promise<void> => clock.sleep(PAUSE_MS, context.mcpReq.signal);

  server.registerTool(
    "test_tool_with_logging",
    { description: "Sends three log messages while it runs." },
    async (context) => {
      await log(context, "info", "Started");
      await pause(context);
      await log(context, "info", "Half way");
      await pause(context);
      await log(context, "info", "Done");
      return text("Sent three log messages.");
    },
  );
  server.registerTool(
    "test_logging_tool",
    { description: "Sends a log message, if the caller asked for any." },
    async (context) => {
      await log(context, "info", "Called");
      return text("Done; a log message was sent if one was asked for.");
    },
  );
  server.registerTool(
    "test_tool_with_progress",
    { description: "Tells its progress in three steps." },
    async (context) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await pause(context);
        if (progressToken === undefined) continue;
        await context.mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      return text("Went from 0 to 100.");
    },
  );
  server.registerTool(
    "test_reconnection",
    { description: "Closes its stream before the result, which a 2025 client fetches by resuming (SEP-1699)." },
    async (context) => {
      context.http?.closeSSE?.();
      await pause(context);
      return text("The result came after the stream was resumed.");
    },
  );
}

/** Only those callers get it who asked for messages of this level. */
async function log(context: ServerContext, level: LoggingLevel, message: string): Promise<void> {
  await context.mcpReq.log(level, message, "everything");
}
