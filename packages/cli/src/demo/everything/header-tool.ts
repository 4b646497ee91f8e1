import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "../results.ts";

/**
 * A tool two of whose arguments are also sent as `Mcp-Param-…` headers (SEP-2243, `x-mcp-header`). That header and body
 * agree is checked before the tool runs.
 */
export function addHeaderTool(server: McpServer): void {
  server.registerTool(
    "test_header_params",
    {
      description: "Takes a region and a priority, which 2026-07-28 clients also send as headers.",
      inputSchema: z.object({
        region: z.string().meta({ "x-mcp-header": "Region" }).describe("Sent as Mcp-Param-Region too"),
        priority: z.number().int().optional().meta({ "x-mcp-header": "Priority" }).describe("Mcp-Param-Priority"),
      }),
    },
    ({ region, priority }) => text(`region=${region}, priority=${priority ?? "none"}`),
  );
}
