import type { McpServer } from "@modelcontextprotocol/server";
import type { ServingContext } from "../mcp-definition.ts";
import { text } from "../results.ts";
import { WATCHED_URI } from "./resources.ts";
import type { SharedState } from "./shared-state.ts";

/** Tools that change what the server has, for everyone, so that those who listen are told. */
export function addChangeTools(server: McpServer, shared: SharedState, context: ServingContext): void {
  server.registerTool(
    "test_trigger_tool_change",
    { description: "Adds a tool, or takes it away if it is there." },
    () => {
      shared.extraTool = !shared.extraTool;
      shared.changes.publish({ kind: "tools_list_changed" });
      return text(`The tool test_extra_tool is ${shared.extraTool ? "there" : "gone"}.`);
    },
  );
  server.registerTool(
    "test_trigger_prompt_change",
    { description: "Adds a prompt, or takes it away if it is there." },
    () => {
      shared.extraPrompt = !shared.extraPrompt;
      shared.changes.publish({ kind: "prompts_list_changed" });
      return text(`The prompt test_extra_prompt is ${shared.extraPrompt ? "there" : "gone"}.`);
    },
  );
  server.registerTool("test_touch_watched_resource", { description: `Changes the resource ${WATCHED_URI}.` }, () => {
    shared.watchedRevision += 1;
    shared.changes.publish({ kind: "resource_updated", uri: WATCHED_URI });
    return text(`Revision ${shared.watchedRevision}`);
  });
  const extra = server.registerTool("test_extra_tool", { description: "Comes and goes." }, () => text("Here I am."));
  // Set directly: its own enable() would send a second notification, and on this request's stream.
  extra.enabled = shared.extraTool;
  context.onChange(() => {
    extra.enabled = shared.extraTool;
  });
}
