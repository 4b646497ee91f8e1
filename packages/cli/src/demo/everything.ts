import { InMemoryServerEventBus, McpServer } from "@modelcontextprotocol/server";
import type { WholeClock } from "./demo-clock.ts";
import { addChangeTools } from "./everything/change-tools.ts";
import { addContentTools } from "./everything/content-tools.ts";
import { addElicitationTools } from "./everything/elicitation-tools.ts";
import { addHeaderTool } from "./everything/header-tool.ts";
import { addInputRequiredTools } from "./everything/input-required-tools.ts";
import { addPrompts } from "./everything/prompts.ts";
import { createRequestStates } from "./everything/request-state.ts";
import { addResources } from "./everything/resources.ts";
import { addSamplingTools } from "./everything/sampling-tools.ts";
import { addSchemaTool } from "./everything/schema-tool.ts";
import type { SharedState } from "./everything/shared-state.ts";
import { addStreamTools } from "./everything/stream-tools.ts";
import type { McpDefinition } from "./mcp-definition.ts";

/**
 * The demo server `everything`: one of each thing MCP has, under the names and with the payloads that the official
 * conformance suite asks for (`@modelcontextprotocol/conformance`).
 *
 * @param options.stateKey at least 32 random bytes; signs the `requestState` of calls that need several rounds
 */
export function everythingServer(options: {
  readonly clock: WholeClock;
  readonly stateKey: Uint8Array;
}): McpDefinition<"everything"> {
  const { clock } = options;
  const changes = new InMemoryServerEventBus();
  const states = createRequestStates(options.stateKey);
  const shared: SharedState = { changes, extraTool: false, extraPrompt: false, watchedRevision: 0 };
  return {
    name: "everything",
    changes,
    create(context) {
      const server = new McpServer(
        { name: "sallyport-demo-everything", title: "Everything", version: "0.1.0" },
        {
          instructions: "One of each thing MCP has, for trying out clients and gateways.",
          capabilities: {
            logging: {},
            tools: { listChanged: true },
            prompts: { listChanged: true },
            resources: { listChanged: true, subscribe: true },
          },
          requestState: { verify: states.verify },
        },
      );
      addContentTools(server);
      addSchemaTool(server);
      addHeaderTool(server);
      addStreamTools(server, clock);
      addSamplingTools(server);
      addElicitationTools(server);
      addInputRequiredTools(server, states);
      addChangeTools(server, shared, context);
      addResources(server, shared, context);
      addPrompts(server, shared, context);
      return server;
    },
  };
}
